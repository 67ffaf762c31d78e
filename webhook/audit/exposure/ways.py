"""Every way in from outside: what Services open, what pods open on their nodes, and `routes`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies.baseline.facts import ServicePort
from policies.model import ClusterFacts
from policies.objects import ObjectMeta, Service, ServiceSpec
from policies.services import reach
from policies.services.exposure import Kind, Opening, openings
from webhook.audit.baseline import views
from webhook.audit.baseline.cluster import Actor, Cluster
from webhook.audit.baseline.cluster import Behind as Answering
from webhook.audit.exposure.model import Behind, Reach, Way
from webhook.audit.exposure.outside import from_outside
from webhook.audit.exposure.routes import Routes
from webhook.audit.exposure.sides import Sides

_LOOPBACK = ("127.", "::1")
_ON_NODES = {
    Kind.NODE_PORT: "node port",
    Kind.ALLOCATED_NODE_PORT: "node port",
    Kind.EXTERNAL_IP: "external IP",
}

Found = tuple[Opening, ...]


class Ways:
    """facts, declared: what tells whether a load balancer is public."""

    def __init__(
        self, cluster: Cluster, sides: Sides, facts: ClusterFacts, declared: reach.Declared
    ) -> None:
        self._cluster = cluster
        self._sides = sides
        self._facts = facts
        self._declared = declared

    def all(self) -> Iterator[Way]:
        """Load balancers, node ports, pods on nodes, then Ingresses, Gateways and routes."""
        balancers: list[Way] = []
        others: list[Way] = []
        for raw in self._cluster.traffic.services:
            for one in self._of_service(raw):
                (balancers if one.kind == "load balancer" else others).append(one)
        yield from balancers
        yield from others
        yield from self._of_pods()
        yield from Routes(self._cluster, self._sides, balancers).all()

    def _of_service(self, raw: views.Service) -> Iterator[Way]:
        meta = raw.metadata
        service = Service(
            metadata=ObjectMeta(
                name=meta.name, namespace=meta.namespace, annotations=meta.annotations
            ),
            spec=raw.spec,
            status=raw.status,
        )
        found = openings(service)
        by_kind: dict[str, list[Opening]] = {}
        for one in found:
            by_kind.setdefault(_ON_NODES.get(one.kind, ""), []).append(one)
        if any(one.kind is Kind.LOAD_BALANCER for one in found):
            yield self._balancer(raw, found)
        for kind, some in by_kind.items():
            if kind:
                yield self._on_nodes(kind, raw, some)
        for one in found:
            if one.kind is Kind.HEALTH_CHECK_PORT:
                title = f"Service {meta.namespace}/{meta.name}"
                opens = (_number("TCP", one.number),)
                yield Way("health check node port", title, meta.namespace, "nodes", opens)

    def _balancer(self, raw: views.Service, found: Found) -> Way:
        spec, meta = raw.spec, raw.metadata
        assert spec is not None
        sources = tuple(one.value for one in found if one.kind is Kind.SOURCE_RANGE)
        far = self._far(spec, meta.annotations or {}, found)
        addresses = [one.value for one in found if one.kind is Kind.LOAD_BALANCER_ADDRESS]
        ports = [one.port for one in found if one.kind is Kind.LOAD_BALANCER and one.port]
        limits = sources if far == "restricted" else ()
        return Way(
            "load balancer",
            f"Service {meta.namespace}/{meta.name}",
            meta.namespace,
            far,
            tuple(f"{one.protocol or 'TCP'} {one.port}" for one in ports),
            tuple(dict.fromkeys(addresses)),
            sources,
            behind=self._behind(raw, {one.port for one in ports}, limits),
        )

    def _far(self, spec: ServiceSpec, annotations: dict[str, str], found: Found) -> Reach:
        """Source ranges restrict only what would be public without them."""
        without = tuple(one for one in found if one.kind is not Kind.SOURCE_RANGE)
        told = self._facts, self._declared
        if reach.fault(spec, annotations, without, *told) is None:
            return "internal"
        return "public" if reach.fault(spec, annotations, found, *told) else "restricted"

    def _on_nodes(self, kind: str, raw: views.Service, some: list[Opening]) -> Way:
        meta = raw.metadata
        numbers = [
            _number(one.port.protocol or "TCP", one.number) for one in some if one.port is not None
        ]
        ports = {one.port.port for one in some if one.port}
        every = {one.port for one in (raw.spec and raw.spec.ports) or ()}
        texts = [
            f"{one.protocol or 'TCP'} {one.port}" for one in (raw.spec and raw.spec.ports) or ()
        ]
        return Way(
            kind,
            f"Service {meta.namespace}/{meta.name}",
            meta.namespace,
            "nodes",
            tuple(numbers or texts),
            tuple(one.value for one in some if one.value),
            behind=self._behind(raw, ports or every, ()),
        )

    def _behind(
        self, raw: views.Service, ports: set[int | None], sources: tuple[str, ...]
    ) -> tuple[Behind, ...]:
        service = self._cluster.services[raw.metadata.namespace, raw.metadata.name]
        wanted: Iterable[ServicePort] = (one for one in service.ports if one.port in ports)
        found = (
            from_outside(answering, sources, self._sides)
            for port in wanted
            for answering in self._cluster.behind(service, port)
        )
        return tuple(dict.fromkeys(found))

    def _of_pods(self) -> Iterator[Way]:
        for actor in self._cluster.actors:
            if actor.host_network:
                ports = [(protocol, number, "", number) for protocol, number in actor.numbers]
                yield self._pod("host network", actor, ports)
            elif outer := [one for one in actor.host_ports if not one[2].startswith(_LOOPBACK)]:
                yield self._pod("host port", actor, outer)

    def _pod(self, kind: str, actor: Actor, ports: list[tuple[str, int, str, int]]) -> Way:
        behind = (
            from_outside(Answering(actor, protocol, inner), (), self._sides)
            for protocol, _, _, inner in ports
        )
        return Way(
            kind,
            actor.title,
            actor.namespace,
            "nodes",
            tuple(dict.fromkeys(f"{protocol} {number}" for protocol, number, *_ in ports)),
            tuple(dict.fromkeys(address for _, _, address, _ in ports if address)),
            behind=tuple(dict.fromkeys(behind)),
        )


def _number(protocol: str, number: int | None) -> str:
    return f"{protocol} {number}" if number else f"{protocol} (not allocated yet)"
