"""One look at the live cluster: plain lists, page by page, with the rights of whoever looks.

What may not be read is remembered and left out; what is not served (Gateway API) does not exist.
Owns which collections are asked for, and decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeVar

import msgspec

from policies.baseline import dns, meshes
from policies.baseline import views as facts_views
from policies.baseline.collect import Source, sources
from policies.baseline.config import BaselineConfig
from policies.baseline.facts import Facts, Kept, gather
from webhook.audit.baseline import views
from webhook.audit.baseline.views import Object
from webhook.cluster.apply import path
from webhook.cluster.connection import Connection
from webhook.cluster.lease import API_VERSION, LeaseObject, Spec
from webhook.cluster.lists import Lists, Unread, decode
from webhook.cluster.pages import PAGE

STALE = timedelta(seconds=60)
"""A Lease is renewed every two seconds; the rest is for clocks that are not the same."""
GATEWAY_API = "gateway.networking.k8s.io/v1"
T = TypeVar("T")


class _Group(msgspec.Struct):
    name: str = ""


class _Groups(msgspec.Struct):
    groups: list[_Group] = []


class Controller(NamedTuple):
    """Whether somebody leads by the Lease. problem: why nothing is generated, "" if one does."""

    state: Literal["running", "stopped", "absent", "unknown"]
    problem: str


class Ground(NamedTuple):
    """What a baseline is computed from and compared with."""

    namespace: Object
    policies: tuple[views.StoredPolicy, ...]
    facts: Facts
    unread: tuple[Unread, ...]
    controller: Controller = Controller("unknown", "")


class Traffic(NamedTuple):
    """What tells who talks to whom, in all namespaces. namespaces: labels by name."""

    namespaces: Mapping[str, Mapping[str, str]]
    policies: tuple[views.StoredPolicy, ...]
    pods: tuple[tuple[str, Object], ...]
    services: tuple[views.Service, ...]
    slices: tuple[facts_views.EndpointSlice, ...]
    ingresses: tuple[views.Ingress, ...]
    gateways: tuple[views.Gateway, ...]
    routes: tuple[views.Route, ...]
    unread: tuple[Unread, ...]


WORKLOADS: tuple[tuple[str, str, str, type[Object]], ...] = (
    ("apps/v1", "deployments", "Deployment", views.Templated),
    ("apps/v1", "statefulsets", "StatefulSet", views.Templated),
    ("apps/v1", "daemonsets", "DaemonSet", views.Templated),
    ("apps/v1", "replicasets", "ReplicaSet", views.Templated),
    ("batch/v1", "cronjobs", "CronJob", views.CronJob),
    ("batch/v1", "jobs", "Job", views.Templated),
    ("v1", "pods", "Pod", views.Pod),
)


def controller(lease: str, spec: Spec | None, now: datetime) -> Controller:
    """What the Lease of this name tells; spec: None where there is none."""
    if spec is None:
        return Controller(
            "absent",
            f"no controller has run here (there is no Lease {lease}): nothing is generated, and no "
            "pod waits; start netreeve control, or give --lease",
        )
    renewed = _time(spec.renewTime)
    if spec.holderIdentity and renewed and now - renewed < STALE:
        return Controller("running", "")
    since = f"{renewed:%Y-%m-%dT%H:%M:%SZ}" if renewed else "an unknown time"
    return Controller(
        "stopped",
        f"no controller runs (Lease {lease}, last renewed at {since}): nothing is generated or "
        "restored, and new pods wait where the baseline is not in place; start netreeve control",
    )


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "")
    except ValueError:
        return None


class Reader:
    """For one event loop. Methods raise ClusterError, but not for a missing right to a list.

    lease: namespace and name of that of the controller. now: the time of day, in UTC. page: how
    many objects are asked for at a time.
    """

    def __init__(
        self, connection: Connection, lease: tuple[str, str], now: datetime, page: int = PAGE
    ) -> None:
        self._lease = lease
        self._now = now
        self._connection = connection
        self._lists = Lists(connection, page)

    async def ground(self, namespace: str, config: BaselineConfig) -> Ground:
        """Raises NotFoundError where there is no such namespace."""
        where = path("v1", "namespaces", name=namespace)
        found = decode(where, await self._connection.read(where), Object)
        policies, known, controller = await asyncio.gather(
            self._lists.all(
                path("networking.k8s.io/v1", "networkpolicies", namespace), views.StoredPolicy
            ),
            facts(self._connection, self._lists, config),
            self._controller(),
        )
        return Ground(found, tuple(policies or ()), known, self._taken(), controller)

    async def traffic(self) -> Traffic:
        return await traffic(self._lists)

    @property
    def unread(self) -> list[Unread]:
        """What was forbidden, so far."""
        return self._lists.unread

    def _taken(self) -> tuple[Unread, ...]:
        return _taken(self._lists)

    async def _controller(self) -> Controller:
        namespace, name = self._lease
        params = {"fieldSelector": f"metadata.name={name}"}
        with self._lists.part() as lists:
            found = await lists.all(path(API_VERSION, "leases", namespace), LeaseObject, params)
        if lists.unread:
            return Controller("unknown", "")
        return controller(f"{namespace}/{name}", found[0].spec if found else None, self._now)


async def traffic(lists: Lists) -> Traffic:
    """The whole cluster. Raises ClusterError, but not for a missing right."""

    async def all_of(where: str, type: type[T]) -> list[T]:
        return await lists.all(where, type) or []

    namespaces, policies, services, slices = await asyncio.gather(
        all_of(path("v1", "namespaces"), Object),
        all_of(path("networking.k8s.io/v1", "networkpolicies"), views.StoredPolicy),
        all_of(path("v1", "services"), views.Service),
        all_of(path("discovery.k8s.io/v1", "endpointslices"), facts_views.EndpointSlice),
    )
    ingresses, gateways, http, grpc = await asyncio.gather(
        all_of(path("networking.k8s.io/v1", "ingresses"), views.Ingress),
        all_of(path(GATEWAY_API, "gateways"), views.Gateway),
        all_of(path(GATEWAY_API, "httproutes"), views.Route),
        all_of(path(GATEWAY_API, "grpcroutes"), views.Route),
    )
    workloads = await asyncio.gather(
        *(all_of(path(version, plural), view) for version, plural, _, view in WORKLOADS)
    )
    return Traffic(
        {one.name: one.metadata.labels or {} for one in namespaces},
        tuple(policies),
        tuple(
            (kind, one)
            for (_, _, kind, _), found in zip(WORKLOADS, workloads, strict=True)
            for one in found
        ),
        tuple(services),
        tuple(slices),
        tuple(ingresses),
        tuple(gateways),
        (*http, *grpc),
        _taken(lists),
    )


def _taken(lists: Lists) -> tuple[Unread, ...]:
    found, lists.unread = tuple(sorted(set(lists.unread))), []
    return found


async def facts(connection: Connection, lists: Lists, config: BaselineConfig) -> Facts:
    """What the cluster is, for CNI plugins, DNS and meshes; without what may not be read."""
    wanted = sources(dns.namespaces(config.dns))
    planes = meshes.control_planes(config.controlPlanes)
    kept, namespaces, groups = await asyncio.gather(
        asyncio.gather(*(_kept(lists, one) for one in wanted)),
        lists.all(path("v1", "namespaces"), Object),
        connection.read("/apis"),
    )
    return gather(
        (one for some in kept for one in some),
        namespaces=planes & {one.name for one in namespaces or ()},
        groups=(one.name for one in decode("/apis", groups, _Groups).groups),
    )


async def _kept(lists: Lists, source: Source) -> Iterable[Kept]:
    found = await lists.all(source.path, source.view, source.params)
    return [source.keep(one) for one in found or ()]
