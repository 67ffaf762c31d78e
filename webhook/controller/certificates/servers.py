"""The servers as their clients see them: where they are, and which certificate each one serves.

Found by the EndpointSlices of their Service; they themselves write nothing to the cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from webhook.cluster.apply import path
from webhook.cluster.connection import Connection
from webhook.cluster.objects import Object
from webhook.cluster.reflector import Reflector
from webhook.probe import NotProvenError, Peer, prove, served

NOBODY = "no server is ready"


class _Conditions(msgspec.Struct):
    ready: bool | None = None


class _Endpoint(msgspec.Struct):
    addresses: list[str] = []
    conditions: _Conditions | None = None


class _Port(msgspec.Struct):
    port: int | None = None


class _Slice(Object):
    endpoints: list[_Endpoint] | None = None
    ports: list[_Port] | None = None


class Seen(NamedTuple):
    """leaves: the certificates (PEM) of those that answered. unreachable: why others did not."""

    leaves: Mapping[Peer, bytes] = {}
    unreachable: Mapping[Peer, str] = {}


class Servers:
    """service: namespace and name. touched: called after every change."""

    def __init__(
        self, connection: Connection, service: tuple[str, str], touched: Callable[[], None]
    ) -> None:
        namespace, name = service
        self._name = f"{name}.{namespace}.svc"
        self._slices: Reflector[dict[Peer, bool]] = Reflector(
            connection,
            path("discovery.k8s.io/v1", "endpointslices", namespace),
            _Slice,
            self._peers,
            params={"labelSelector": f"kubernetes.io/service-name={name}"},
        )
        self._slices.subscribe(lambda keys: touched())

    @property
    def synced(self) -> bool:
        return self._slices.synced

    async def run(self) -> None:
        await self._slices.run()

    async def look(self) -> Seen:
        """Which certificate every one serves now, also those that are not ready."""
        peers = list(self._known())
        found = await asyncio.gather(*(_look(peer) for peer in peers))
        pairs = list(zip(peers, found, strict=True))
        return Seen(
            {peer: one for peer, one in pairs if isinstance(one, bytes)},
            {peer: one for peer, one in pairs if isinstance(one, str)},
        )

    async def prove(self, bundle: bytes) -> str:
        """Have one that is ready prove itself; "" when one did, else why the last did not."""
        obstacle = NOBODY
        for peer in [peer for peer, ready in self._known().items() if ready]:
            try:
                await prove(peer, bundle)
            except NotProvenError as error:
                obstacle = str(error)
            else:
                return ""
        return obstacle

    def _known(self) -> dict[Peer, bool]:
        return {peer: ready for one in self._slices.items.values() for peer, ready in one.items()}

    def _peers(self, found: _Slice) -> dict[Peer, bool]:
        port = next((one.port for one in found.ports or () if one.port), None)
        if port is None:
            return {}
        return {
            Peer(address, port, self._name): _is_ready(one)
            for one in found.endpoints or ()
            for address in one.addresses[:1]
        }


def _is_ready(endpoint: _Endpoint) -> bool:
    """What is not said is true (discovery.k8s.io/v1)."""
    return endpoint.conditions is None or endpoint.conditions.ready is not False


async def _look(peer: Peer) -> bytes | str:
    try:
        return await served(peer)
    except NotProvenError as error:
        return str(error)
