"""One look at a live cluster, with the rights of whoever looks; decides nothing.

Only reads, with two exceptions that change nothing either: reviews that ask the authorizer, and
one Deployment that is created as a dry run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from policies import catalogue
from policies.baseline.facts import Facts
from webhook.audit.baseline.read import facts
from webhook.cluster.apply import path
from webhook.cluster.connection import Connection
from webhook.cluster.errors import RefusedError
from webhook.cluster.lists import Lists, Unread, decode
from webhook.config import ConfigError, GateConfig, load
from webhook.doctor import names, rescue, views
from webhook.doctor.clock import clock
from webhook.doctor.matching import Served, match
from webhook.doctor.requests import KNOWN_BAD, Request
from webhook.doctor.rights import Right, rights
from webhook.doctor.seen import Hook, KindOfHook, Leaf, Place, Proof, Seen, hooks
from webhook.probe import NotProvenError, Peer, served

HOOKS = "admissionregistration.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
SLICES = "discovery.k8s.io/v1"
AT_ONCE = 16
HANDSHAKE_SECONDS = 3.0
DRY_RUN = {"dryRun": "All", "fieldManager": "netreeve-doctor"}


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
    deployments: list[views.Deployment] | None
    leases: list[views.Lease] | None


class Look:
    """For one event loop."""

    def __init__(self, connection: Connection, asked: Asked) -> None:
        self._connection = connection
        self._asked = asked
        self._lists = Lists(connection)
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def look(self) -> Seen:
        """Everything there is to see. Raises ClusterError where there is no API server."""
        namespace, lists = self._asked.namespace, self._lists
        ahead, now = await clock(self._connection)
        listed = await self._listed()
        config, broken = await self._config()
        found, deployments, leases = listed.hooks, listed.deployments, listed.leases
        kubernetes, api = await self._api(listed.labels or {}, config or GateConfig())
        accounts = {one.name: one.account for one in deployments or ()}
        behind, answers, guards, known_facts, certificate, proof = await asyncio.gather(
            self._behind(found or ()),
            self._rights(rights(namespace, accounts)),
            self._guards(),
            self._facts(config or GateConfig()),
            self._certificate(),
            self._proof(found or (), api),
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
            deployments=None if deployments is None else tuple(deployments),
            leases=None if leases is None else _named(leases, names.LEASE),
            certificate=certificate,
            leaves=await self._leaves((endpoints or {}).get((namespace, names.SERVICE), ())),
            config=config,
            broken=broken,
            rights=answers,
            guards=guards,
            facts=known_facts,
            proof=proof,
            unread=tuple(sorted(set(lists.unread))),
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
            deployments,
            leases,
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

    async def _api(
        self, namespaces: Mapping[str, Mapping[str, str]], config: GateConfig
    ) -> tuple[str, Served]:
        """The version of Kubernetes, and what is served of the groups that matter."""
        raw = await asyncio.gather(
            self._connection.read("/version"), self._connection.read("/apis")
        )
        version = decode("/version", raw[0], views.Version)
        groups = {one.name: one for one in decode("/apis", raw[1], views.ApiGroups).groups}
        wanted = [("", "v1")]
        custom = {one.group for one in config.workloads}
        for name in sorted((_groups() | custom) & groups.keys()):
            wanted += ((name, one.version) for one in groups[name].versions)
        resources = await asyncio.gather(*(self._resources(*one) for one in wanted))
        versions: dict[Place, tuple[str, ...]] = {}
        for (group, one), some in zip(wanted, resources, strict=True):
            for resource in some:
                versions[group, resource] = (*versions.get((group, resource), ()), one)
        return version.gitVersion, Served(namespaces, versions, version.number)

    async def _resources(self, group: str, version: str) -> list[str]:
        where = f"/apis/{group}/{version}" if group else f"/api/{version}"
        found = await self._limited(where)
        return [one.name for one in decode(where, found, views.ApiResources).resources]

    async def _limited(self, where: str) -> bytes:
        async with self._slots:
            return await self._connection.read(where)

    async def _behind(
        self, found: Iterable[Hook]
    ) -> tuple[dict[Place, views.Service] | None, dict[Place, tuple[views.Slice, ...]] | None]:
        """The Services of webhooks, and their endpoints."""
        own = (self._asked.namespace, names.SERVICE)
        places = sorted({own, *(one.service for one in found if one.service)})
        before = len(self._lists.unread)
        services = await asyncio.gather(*map(self._service, places))
        slices = await asyncio.gather(*map(self._slices, places))
        if len(self._lists.unread) > before:
            return None, None
        there = {place: one for place, one in zip(places, services, strict=True) if one}
        return there, dict(zip(places, slices, strict=True))

    async def _service(self, place: Place) -> views.Service | None:
        return await self._lists.one(path("v1", "services", *place), views.Service)

    async def _slices(self, place: Place) -> tuple[views.Slice, ...]:
        namespace, name = place
        chosen = {"labelSelector": f"kubernetes.io/service-name={name}"}
        where = path(SLICES, "endpointslices", namespace)
        return tuple(await self._lists.all(where, views.Slice, chosen) or ())

    async def _rights(self, wanted: Iterable[Right]) -> dict[Right, bool] | None:
        wanted, before = tuple(wanted), len(self._lists.unread)
        answers = await asyncio.gather(*map(self._right, wanted))
        if len(self._lists.unread) > before:
            return None
        return dict(zip(wanted, answers, strict=True))

    async def _right(self, right: Right) -> bool:
        """False as well where it may not be asked, which is remembered."""
        user = rescue.account(self._asked.namespace, right.account)
        resource, _, subresource = right.resource.partition("/")
        attributes = {
            "verb": right.verb, "group": right.group, "resource": resource,
            "subresource": subresource, "namespace": right.namespace, "name": right.name,
        }  # fmt: skip
        spec = {"user": user.username, "groups": user.groups, "resourceAttributes": attributes}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                "spec": spec}  # fmt: skip
        async with self._slots:
            try:
                answer = await self._connection.write("POST", REVIEWS, msgspec.json.encode(body))
            except RefusedError as error:
                self._lists.unread.append(Unread(REVIEWS, str(error)))
                return False
        return decode(REVIEWS, answer, views.Review).status.allowed

    async def _guards(self) -> tuple[str, ...] | None:
        """Of a policy that is missing, no binding does anything."""
        policies, bindings = await asyncio.gather(
            self._lists.all(path(HOOKS, "validatingadmissionpolicies"), views.Named),
            self._lists.all(path(HOOKS, "validatingadmissionpolicybindings"), views.Binding),
        )
        if policies is None or bindings is None:
            return None
        known = {one.name for one in policies} & {names.EXCLUDED}
        of = (one.spec for one in bindings if one.spec.policyName in known)
        return tuple(action for spec in of for action in spec.validationActions or ())

    async def _facts(self, config: GateConfig) -> Facts | None:
        before = len(self._lists.unread)
        found = await facts(self._connection, self._lists, config.baseline)
        return None if len(self._lists.unread) > before else found

    async def _certificate(self) -> bytes | None:
        """Of the Secret that the servers mount; the key in there is never decoded."""
        where = path("v1", "secrets", self._asked.namespace, names.CERTIFICATE)
        before = len(self._lists.unread)
        found = await self._lists.one(where, views.Secret)
        if len(self._lists.unread) > before:
            return None
        return (found and found.data and found.data.certificate) or b""

    async def _leaves(self, slices: Iterable[views.Slice]) -> tuple[Leaf, ...]:
        name = f"{names.SERVICE}.{self._asked.namespace}.svc"
        peers = [Peer(*one, name) for one in dict.fromkeys(_addresses(slices))]
        return tuple(await asyncio.gather(*map(_leaf, peers)))

    async def _proof(self, found: Iterable[Hook], api: Served) -> Proof | None:
        """Send what is known to be bad where a webhook of ours is called for it."""
        namespace = _judged_namespace([one for one in found if one.ours], api)
        if namespace is None:
            return None
        where = path("apps/v1", "deployments", namespace)
        body = msgspec.json.encode(KNOWN_BAD)
        try:
            await self._connection.write("POST", where, body, params=DRY_RUN)
        except RefusedError as error:
            return Proof(namespace, error.status, str(error).partition(": ")[2])
        return Proof(namespace, 201)


def _named(leases: Iterable[views.Lease], name: str) -> tuple[views.Lease, ...]:
    return tuple(one for one in leases if one.name == name)


def _shells(
    found: Mapping[KindOfHook, Iterable[views.Configuration] | None],
) -> Iterator[KindOfHook]:
    for kind, configurations in found.items():
        if any(one.name == names.CONFIGURATION for one in configurations or ()):
            yield kind


def _groups() -> set[str]:
    """API groups of which the versions are asked for."""
    ours = {rule.group for policy in catalogue() for rule in policy.rules}
    return ours | {one.request.group for one in rescue.rescues(None, {}, {"": ""})} | {
        "events.k8s.io"
    }  # fmt: skip


def _judged_namespace(ours: list[Hook], api: Served) -> str | None:
    """Where the known-bad object is judged: default, or the first that is."""
    for namespace in sorted(api.namespaces, key=lambda one: (one != "default", one)):
        request = Request("CREATE", "apps", "v1", "deployments", "Deployment",
                          namespace=namespace, name="netreeve-doctor",
                          object=KNOWN_BAD)  # fmt: skip
        if any(match(one.webhook, request, api).state == "called" for one in ours):
            return namespace
    return None


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
