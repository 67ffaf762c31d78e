"""The servers as their clients see them: where they are, and which certificate each one serves.

Found by the EndpointSlices of their Service; they themselves write nothing to the cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from policies.labels import SERVICE_OF_SLICE
from webhook.cluster.apply import path
from webhook.cluster.connection import Connection
from webhook.cluster.objects import Object
from webhook.cluster.reflector import Reflector
from webhook.probe import NotProvenError, Peer, prove, served

NOBODY = "no server is ready"
REVIEWS = 443
"""The port of the Service that API servers ask; it may have others, for health."""


class _Conditions(msgspec.Struct):
    ready: bool | None = None


class _Endpoint(msgspec.Struct):
    addresses: list[str] = []
    conditions: _Conditions | None = None


class _Port(msgspec.Struct):
    name: str | None = None
    port: int | None = None


class _ServiceSpec(msgspec.Struct):
    ports: list[_Port] | None = None


class _Service(Object):
    spec: _ServiceSpec | None = None


class _Slice(Object):
    endpoints: list[_Endpoint] | None = None
    ports: list[_Port] | None = None


class _Backends(NamedTuple):
    """ports: by name. ready: by address."""

    ports: Mapping[str, int]
    ready: Mapping[str, bool]


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
        self._slices: Reflector[_Backends] = Reflector(
            connection,
            path("discovery.k8s.io/v1", "endpointslices", namespace),
            _Slice,
            _backends,
            params={"labelSelector": f"{SERVICE_OF_SLICE}={name}"},
        )
        self._services: Reflector[str | None] = Reflector(
            connection,
            path("v1", "services", namespace),
            _Service,
            _port_name,
            params={"fieldSelector": f"metadata.name={name}"},
        )
        for one in (self._slices, self._services):
            one.subscribe(lambda keys: touched())

    @property
    def synced(self) -> bool:
        return self._slices.synced and self._services.synced

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._slices.run())
            group.create_task(self._services.run())

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
        """All servers, and whether they are ready; a slice has ports by the Service's names."""
        name = next(iter(self._services.items.values()), None)
        return {
            Peer(address, one.ports[name], self._name): ready
            for one in self._slices.items.values()
            if name is not None and name in one.ports
            for address, ready in one.ready.items()
        }


def _backends(found: _Slice) -> _Backends:
    return _Backends(
        {one.name or "": one.port for one in found.ports or () if one.port},
        {one.addresses[0]: _is_ready(one) for one in found.endpoints or () if one.addresses},
    )


def _port_name(found: _Service) -> str | None:
    """Of the port for reviews; "" for one without, None where there is no such port."""
    ports = (found.spec and found.spec.ports) or ()
    return next((one.name or "" for one in ports if one.port == REVIEWS), None)


def _is_ready(endpoint: _Endpoint) -> bool:
    """What is not said is true (discovery.k8s.io/v1)."""
    return endpoint.conditions is None or endpoint.conditions.ready is not False


async def _look(peer: Peer) -> bytes | str:
    try:
        return await served(peer)
    except NotProvenError as error:
        return str(error)
