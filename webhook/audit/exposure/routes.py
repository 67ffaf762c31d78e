"""Host names: Ingresses, Gateways and routes, who brings their requests, and to whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies.baseline.config import Baseline
from policies.baseline.facts import Service
from policies.network_policies.effective import Flow, Party, allowed
from webhook.audit.baseline import views
from webhook.audit.baseline.cluster import Actor, Cluster, End
from webhook.audit.baseline.cluster import Behind as Answering
from webhook.audit.baseline.contacts import backends, fronts, ingress_addresses
from webhook.audit.exposure.model import Behind, Reach, Way
from webhook.audit.exposure.sides import Sides

Place = tuple[str, str]
ANY_HOST = "any host"
MOST_FRONTS = 50
"""Workloads behind one address. Where all load balancers share the addresses of the nodes, that
tells nothing of who brings the requests of an Ingress."""


class Routes:
    """balancers: those of Services, which tell how far an address can be reached."""

    def __init__(self, cluster: Cluster, sides: Sides, balancers: Iterable[Way]) -> None:
        self._cluster = cluster
        self._sides = sides
        self._far = {address: one.reach for one in balancers for address in one.addresses}
        self._fronts: dict[tuple[frozenset[str], Place | tuple[()]], list[Actor]] = {}
        gateways = cluster.traffic.gateways
        self._gateways = {(one.namespace, one.name): one for one in gateways}

    def all(self) -> Iterator[Way]:
        for ingress in self._cluster.traffic.ingresses:
            if ingress.spec is not None:
                yield self._ingress(ingress, ingress.spec)
        for gateway in self._gateways.values():
            yield self._gateway(gateway)
        for route in self._cluster.traffic.routes:
            yield self._route(route, route.spec or views.RouteSpec())

    def _ingress(self, ingress: views.Ingress, spec: views.IngressSpec) -> Way:
        addresses = ingress_addresses(ingress)
        bringing = self._bringing(addresses, ())
        hosts = [one.host or ANY_HOST for one in spec.rules or ()]
        if spec.defaultBackend:
            hosts.append(ANY_HOST)
        wanted = [(ingress.namespace, name, port) for name, port in backends(spec)]
        return self._way(
            "Ingress", ingress, opens=hosts, addresses=addresses, bringing=bringing, wanted=wanted
        )

    def _gateway(self, gateway: views.Gateway) -> Way:
        listeners = (gateway.spec and gateway.spec.listeners) or ()
        opens = [
            f"{one.protocol or 'HTTP'} {one.port} for {one.hostname or ANY_HOST}"
            for one in listeners
        ]
        place = (gateway.namespace, gateway.name)
        addresses = _addresses(gateway)
        bringing = self._bringing(addresses, place)
        return self._way(
            "Gateway", gateway, opens=opens, addresses=addresses, bringing=bringing, wanted=()
        )

    def _route(self, route: views.Route, spec: views.RouteSpec) -> Way:
        parents = [
            (parent.namespace or route.namespace, parent.name or "")
            for parent in spec.parentRefs or ()
            if (parent.kind or "Gateway") == "Gateway"
        ]
        addresses: set[str] = set()
        bringing: list[Actor] = []
        for place in dict.fromkeys(parents):
            here = _addresses(self._gateways.get(place))
            addresses |= here
            bringing += self._bringing(here, place)
        wanted = [
            (one.namespace or route.namespace, one.name or "", one.port or 0)
            for rule in spec.rules or ()
            for one in rule.backendRefs or ()
            if (one.kind or "Service") == "Service"
        ]
        hosts = spec.hostnames or [ANY_HOST]
        return self._way(
            "route", route, opens=hosts, addresses=addresses, bringing=bringing, wanted=wanted
        )

    def _bringing(self, addresses: set[str], gateway: Place | tuple[()]) -> list[Actor]:
        key = frozenset(addresses), gateway
        if key not in self._fronts:
            found: list[End] = fronts(self._cluster, addresses, gateway, "", Baseline())
            known = [one for one in found if isinstance(one, Actor)]
            self._fronts[key] = known if len(known) <= MOST_FRONTS else []
        return self._fronts[key]

    def _way(
        self,
        kind: str,
        one: views.Object,
        *,
        opens: Iterable[str],
        addresses: set[str],
        bringing: list[Actor],
        wanted: Iterable[tuple[str, str, int | str]],
    ) -> Way:
        behind = (
            self._judged(answering, bringing)
            for namespace, name, port in dict.fromkeys(wanted)
            for answering in self._answering(self._cluster.services.get((namespace, name)), port)
        )
        return Way(
            kind,
            f"{kind} {one.namespace}/{one.name}",
            one.namespace,
            self._reach(addresses),
            tuple(dict.fromkeys(opens)),
            tuple(sorted(addresses)),
            via=tuple(dict.fromkeys(one.title for one in bringing)),
            behind=tuple(dict.fromkeys(behind)),
        )

    def _reach(self, addresses: set[str]) -> Reach:
        found = {self._far[one] for one in addresses if one in self._far}
        order: tuple[Reach, ...] = ("public", "restricted", "internal")
        return next((one for one in order if one in found), "unknown")

    def _answering(self, service: Service | None, port: int | str) -> Iterator[Answering]:
        """At the port of this number or name; at all of them where it has no such port."""
        if service is not None:
            known = [one for one in service.ports if port in (one.port, one.name)]
            for one in known or service.ports:
                yield from self._cluster.behind(service, one)

    def _judged(self, answering: Answering, bringing: list[Actor]) -> Behind:
        """Whether those who bring the requests get through."""
        end, port = answering.end, f"{answering.protocol} {answering.port}"
        if not isinstance(end, Actor):
            return Behind(end.title, port, "unknown")
        ours = self._sides.of(end.namespace, end.labels)
        names = tuple(f"{end.namespace}/{name}" for name in ours.ingress_policies)
        if not bringing:
            free = end.host_network or not ours.ingress.isolated
            return Behind(end.title, port, "allowed" if free else "unknown", () if free else names)
        through = [self._passes(source, end, answering) for source in bringing]
        if all(through):
            return Behind(end.title, port, "allowed")
        return Behind(end.title, port, "narrowed" if any(through) else "blocked", names)

    def _passes(self, source: Actor, target: Actor, answering: Answering) -> bool:
        policies = [
            one
            for namespace in {source.namespace, target.namespace}
            for one in self._sides.policies.get(namespace, ())
        ]
        return any(
            allowed(policies, Flow(one, other, answering.protocol, answering.port))
            for one in self._parties(source)
            for other in self._parties(target)
        )

    def _parties(self, actor: Actor) -> tuple[Party, ...]:
        return self._cluster.parties(actor)


def _addresses(gateway: views.Gateway | None) -> set[str]:
    found = (gateway and gateway.status and gateway.status.addresses) or ()
    return {one.value for one in found if one.value}
