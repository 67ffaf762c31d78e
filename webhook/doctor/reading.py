"""One look at a live cluster, with the rights of whoever looks; decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from policies.baseline.facts import Facts
from policies.labels import SERVICE_OF_SLICE
from webhook.audit.baseline.read import facts
from webhook.cluster.apply import path
from webhook.cluster.connection import Connection
from webhook.cluster.lists import Lists
from webhook.config import ConfigError, GateConfig, load
from webhook.doctor import names, views
from webhook.doctor.clock import clock
from webhook.doctor.discovery import discover
from webhook.doctor.rights import Right, rights
from webhook.doctor.seen import Hook, KindOfHook, Leaf, Place, Seen, hooks
from webhook.doctor.trials import try_bad, try_rights
from webhook.probe import NotProvenError, Peer, served

HOOKS = "admissionregistration.k8s.io/v1"
SLICES = "discovery.k8s.io/v1"
HANDSHAKE_SECONDS = 3.0


class Asked(NamedTuple):
    """namespace: of Netreeve. everyone: the webhooks of others as well. command: our version."""

    namespace: str
    everyone: bool
    command: str


class _Listed(NamedTuple):
    """What is listed first. None: may not be read. labels: of namespaces, by name."""

    hooks: tuple[Hook, ...] | None
    shells: tuple[KindOfHook, ...]
    labels: dict[str, Mapping[str, str]] | None
    deployments: tuple[views.Deployment, ...] | None
    leases: tuple[views.Lease, ...] | None


class Look:
    """For one event loop."""

    def __init__(self, connection: Connection, asked: Asked) -> None:
        self._connection = connection
        self._asked = asked
        self._lists = Lists(connection)

    async def look(self) -> Seen:
        """Everything there is to see. Raises ClusterError where there is no API server."""
        ahead, now = await clock(self._connection)
        listed = await self._listed()
        found, deployments = listed.hooks, listed.deployments
        config, broken = await self._config()
        used = config or GateConfig()
        kubernetes, api = await discover(self._connection, listed.labels or {}, used)
        behind, answers, guards, known_facts, certificate, proof = await asyncio.gather(
            self._behind(found or ()),
            self._rights(deployments or ()),
            self._guards(),
            self._facts(used),
            self._certificate(),
            try_bad(self._connection, found or (), api),
        )
        services, endpoints = behind
        return Seen(
            *self._asked,
            now=now,
            ahead=ahead,
            kubernetes=kubernetes,
            served=api,
            hooks=found,
            shells=listed.shells,
            namespaces=listed.labels,
            services=services,
            endpoints=endpoints,
            deployments=deployments,
            leases=listed.leases,
            certificate=certificate,
            leaves=await self._leaves(endpoints or {}),
            config=config,
            broken=broken,
            rights=answers,
            guards=guards,
            facts=known_facts,
            proof=proof,
            unread=tuple(sorted(set(self._lists.unread))),
        )

    async def _listed(self) -> _Listed:
        namespace, lists = self._asked.namespace, self._lists
        validating, mutating, known, deployments, leases = await asyncio.gather(
            lists.all(path(HOOKS, "validatingwebhookconfigurations"), views.Configuration),
            lists.all(path(HOOKS, "mutatingwebhookconfigurations"), views.Configuration),
            lists.all(path("v1", "namespaces"), views.Named),
            lists.all(path("apps/v1", "deployments", namespace), views.Deployment),
            lists.all(path("coordination.k8s.io/v1", "leases", namespace), views.Lease),
        )
        unread = validating is None or mutating is None
        return _Listed(
            None if unread else hooks(validating or (), mutating or ()),
            tuple(_shells({"Validating": validating, "Mutating": mutating})),
            None if known is None else {one.name: one.metadata.labels or {} for one in known},
            None if deployments is None else tuple(deployments),
            None if leases is None else _named(leases, names.LEASE),
        )

    async def _config(self) -> tuple[GateConfig | None, str]:
        """What the servers run with, or why it cannot be used."""
        where = path("v1", "configmaps", self._asked.namespace, names.GATE_CONFIG)
        found = await self._lists.one(where, views.ConfigMap)
        text = ((found and found.data) or {}).get(names.GATE_CONFIG_KEY)
        if text is None:
            return None, ""
        try:
            return load(text.encode(), f"ConfigMap {names.GATE_CONFIG}"), ""
        except ConfigError as error:
            return None, str(error)

    async def _behind(
        self, found: Iterable[Hook]
    ) -> tuple[dict[Place, views.Service] | None, dict[Place, tuple[views.Slice, ...]] | None]:
        """The Services of webhooks, and their endpoints."""
        own = (self._asked.namespace, names.SERVICE)
        places = sorted({own, *(one.service for one in found if one.service)})
        with self._lists.part() as lists:
            services = await asyncio.gather(*(_service(lists, one) for one in places))
            slices = await asyncio.gather(*(_slices(lists, one) for one in places))
        if lists.unread:
            return None, None
        there = {place: one for place, one in zip(places, services, strict=True) if one}
        return there, dict(zip(places, slices, strict=True))

    async def _rights(self, deployments: Iterable[views.Deployment]) -> Mapping[Right, bool] | None:
        namespace = self._asked.namespace
        wanted = rights(namespace, {one.name: one.account for one in deployments})
        answers, refused = await try_rights(self._connection, namespace, wanted)
        self._lists.unread += refused
        return None if refused else answers

    async def _guards(self) -> Mapping[str, tuple[str, ...]] | None:
        """Of a policy that is missing, no binding does anything."""
        policies, bindings = await asyncio.gather(
            self._lists.all(path(HOOKS, "validatingadmissionpolicies"), views.Named),
            self._lists.all(path(HOOKS, "validatingadmissionpolicybindings"), views.Binding),
        )
        if policies is None or bindings is None:
            return None
        found: dict[str, tuple[str, ...]] = {
            one.name: () for one in policies if one.name in names.GUARDS
        }
        for spec in (one.spec for one in bindings if one.spec.policyName in found):
            found[spec.policyName] += tuple(spec.validationActions or ())
        return found

    async def _facts(self, config: GateConfig) -> Facts | None:
        with self._lists.part() as lists:
            found = await facts(self._connection, lists, config.baseline)
        return None if lists.unread else found

    async def _certificate(self) -> bytes | None:
        """Of the Secret that the servers mount; the key in there is never decoded."""
        where = path("v1", "secrets", self._asked.namespace, names.CERTIFICATE)
        with self._lists.part() as lists:
            found = await lists.one(where, views.Secret)
        if lists.unread:
            return None
        return (found and found.data and found.data.certificate) or b""

    async def _leaves(self, endpoints: Mapping[Place, Iterable[views.Slice]]) -> tuple[Leaf, ...]:
        """What our servers serve."""
        namespace = self._asked.namespace
        slices = endpoints.get((namespace, names.SERVICE), ())
        name = f"{names.SERVICE}.{namespace}.svc"
        peers = [Peer(*one, name) for one in dict.fromkeys(_addresses(slices))]
        return tuple(await asyncio.gather(*map(_leaf, peers)))


async def _service(lists: Lists, place: Place) -> views.Service | None:
    return await lists.one(path("v1", "services", *place), views.Service)


async def _slices(lists: Lists, place: Place) -> tuple[views.Slice, ...]:
    namespace, name = place
    chosen = {"labelSelector": f"{SERVICE_OF_SLICE}={name}"}
    where = path(SLICES, "endpointslices", namespace)
    return tuple(await lists.all(where, views.Slice, chosen) or ())


def _named(leases: Iterable[views.Lease], name: str) -> tuple[views.Lease, ...]:
    return tuple(one for one in leases if one.name == name)


def _shells(
    found: Mapping[KindOfHook, Iterable[views.Configuration] | None],
) -> Iterator[KindOfHook]:
    for kind, configurations in found.items():
        if any(one.name == names.CONFIGURATION for one in configurations or ()):
            yield kind


def _addresses(slices: Iterable[views.Slice]) -> Iterator[tuple[str, int]]:
    for one in slices:
        ports = [port.port for port in one.ports or () if port.name in (None, "", "reviews")]
        for endpoint in one.endpoints or ():
            for address in endpoint.addresses or ():
                yield from ((address, port) for port in ports if port)


async def _leaf(peer: Peer) -> Leaf:
    try:
        return Leaf(str(peer), await served(peer, HANDSHAKE_SECONDS))
    except NotProvenError as error:
        return Leaf(str(peer), b"", str(error))
