"""Who seems to talk to whom, to or from one namespace, and how that is known. Pure.

Nobody watches packets here: what no object tells is not found. Whether a connection is allowed is
for `severed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import chain
from typing import Literal, NamedTuple

from policies.baseline.config import Baseline
from policies.baseline.facts import Service, canonical
from policies.network_policies.effective import (
    Allow,
    Direction,
    Pods,
    allows,
    matches_peer,
    selector,
)
from policies.network_policies.views import NetworkPolicy, NetworkPolicyPort
from policies.services.addresses import parse_network
from webhook.audit.baseline import views
from webhook.audit.baseline.cluster import Actor, Behind, Cluster, End, Outside, Somebody
from webhook.audit.baseline.mentions import mentions

Purpose = Literal["front", "metrics", "apiServer", "exposed", "other"]
ANYWHERE = "192.0.2.1"
"""RFC 5737: stands for all public addresses."""
_API_SERVER = ("default", "kubernetes")
_GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"  # GEP-1762, on what a Gateway makes
_SCRAPE, _SCRAPE_PORT = "prometheus.io/scrape", "prometheus.io/port"


class Contact(NamedTuple):
    """A connection that is probably made. port: of the receiver itself, not of a Service.

    service: that it is made by, if known; evidence: how it is known, for people.
    """

    source: End
    target: End
    protocol: str
    port: int
    evidence: str
    purpose: Purpose = "other"
    service: tuple[str, str] | None = None

    def touches(self, namespace: str) -> bool:
        """Whether an end of it is a pod there that NetworkPolicies speak to."""
        return any(
            isinstance(one, Actor) and one.namespace == namespace and not one.host_network
            for one in (self.source, self.target)
        )


def contacts(cluster: Cluster, namespace: str, baseline: Baseline) -> Iterator[Contact]:
    """baseline: tells where ingress controllers and Prometheus are if nothing else does."""
    found = chain(
        _mentioned(cluster, namespace),
        _ingresses(cluster, namespace, baseline),
        _routes(cluster, baseline),
        _exposed(cluster, namespace),
        _scraped(cluster, namespace, baseline),
        _allowed(cluster, namespace),
    )
    return (one for one in found if one.touches(namespace))


# --- Named in what containers are told


def _mentioned(cluster: Cluster, namespace: str) -> Iterator[Contact]:
    for actor in cluster.actors:
        for text in actor.texts:
            for one in mentions(text.value, actor.namespace, cluster.services.keys()):
                evidence = f"{text.where} of {actor.title} names {one.host}"
                if one.service is None:
                    if actor.namespace == namespace:
                        address = canonical(one.host) or ANYWHERE
                        end = Outside(one.host, address)
                        yield Contact(actor, end, "TCP", one.port, evidence)
                elif namespace in (actor.namespace, one.service[0]):
                    service = cluster.services[one.service]
                    for behind in _behind(cluster, service, one.port):
                        yield _to(actor, behind, evidence, service)


def _behind(cluster: Cluster, service: Service, port: int | str) -> Iterator[Behind]:
    """At the port of this number or name; at all of them where it has no such port."""
    known = [one for one in service.ports if port in (one.port, one.name)]
    for one in known or service.ports:
        yield from cluster.behind(service, one)


def _to(
    source: End, behind: Behind, evidence: str, service: Service, purpose: Purpose = "other"
) -> Contact:
    place = (service.namespace, service.name)
    if place == _API_SERVER:
        purpose = "apiServer"
    return Contact(source, behind.end, behind.protocol, behind.port, evidence, purpose, place)


# --- Ways in


def _ingresses(cluster: Cluster, namespace: str, baseline: Baseline) -> Iterator[Contact]:
    for ingress in cluster.traffic.ingresses:
        if ingress.namespace != namespace or ingress.spec is None:
            continue
        evidence = f"Ingress {namespace}/{ingress.name}"
        sources = fronts(cluster, ingress_addresses(ingress), (), evidence, baseline)
        for name, port in backends(ingress.spec):
            service = cluster.services.get((namespace, name))
            for behind in _behind(cluster, service, port) if service else ():
                for source in sources:
                    assert service is not None
                    yield _to(source, behind, evidence, service, "front")


def backends(spec: views.IngressSpec) -> Iterator[tuple[str, int | str]]:
    """Names of Services with the number or name of the port."""
    paths = (path for rule in spec.rules or () if rule.http for path in rule.http.paths or ())
    for backend in (spec.defaultBackend, *(path.backend for path in paths)):
        service = backend.service if backend else None
        if service and service.name:
            port = service.port or views.BackendPort()
            yield service.name, port.number or port.name or 0


def ingress_addresses(ingress: views.Ingress) -> set[str]:
    balancer = ingress.status.loadBalancer if ingress.status else None
    found = ((one.ip, one.hostname) for one in (balancer.ingress if balancer else None) or ())
    return {text for texts in found for text in texts if text}


def _routes(cluster: Cluster, baseline: Baseline) -> Iterator[Contact]:
    for route in cluster.traffic.routes:
        spec = route.spec or views.RouteSpec()
        evidence = f"route {route.namespace}/{route.name}"
        sources = [
            source
            for parent in spec.parentRefs or ()
            if (parent.kind or "Gateway") == "Gateway"
            for source in _gateway(cluster, parent, route.namespace, evidence, baseline)
        ]
        for backend in (one for rule in spec.rules or () for one in rule.backendRefs or ()):
            place = (backend.namespace or route.namespace, backend.name or "")
            service = cluster.services.get(place)
            if (backend.kind or "Service") != "Service" or backend.group or service is None:
                continue
            for behind in _behind(cluster, service, backend.port or 0):
                yield from (_to(one, behind, evidence, service, "front") for one in sources)


def _gateway(
    cluster: Cluster, parent: views.Reference, home: str, evidence: str, baseline: Baseline
) -> list[End]:
    place = (parent.namespace or home, parent.name or "")
    gateways = [one for one in cluster.traffic.gateways if (one.namespace, one.name) == place]
    addresses = {
        address.value
        for one in gateways
        for address in (one.status and one.status.addresses) or ()
        if address.value
    }
    return fronts(cluster, addresses, place, evidence, baseline)


def fronts(
    cluster: Cluster,
    addresses: set[str],
    gateway: tuple[str, str] | tuple[()],
    evidence: str,
    baseline: Baseline,
) -> list[End]:
    """Whose pods bring requests: those of the Gateway, or behind the same load balancer."""
    found: list[Actor] = [
        one
        for one in cluster.actors
        if gateway and (one.namespace, one.labels.get(_GATEWAY_NAME)) == gateway
    ]
    if not found and addresses:
        for raw in cluster.traffic.services:
            if not addresses.isdisjoint(service_addresses(raw)):
                place = (raw.metadata.namespace, raw.metadata.name)
                found += cluster.selected(cluster.services[place])
    preset = baseline.allow.ingressControllers
    who = "gateway" if gateway else "ingress controller"
    nobody = Somebody(f"the {who} of {evidence}", preset.namespaces if preset else ())
    return list(found) or [nobody]


def service_addresses(service: views.Service) -> set[str]:
    balancer = service.status.loadBalancer if service.status else None
    found = ((one.ip, one.hostname) for one in (balancer.ingress if balancer else None) or ())
    own = ((service.spec and service.spec.clusterIPs) or ()) if not balancer else ()
    return {*(text for texts in found for text in texts if text), *own}


def _exposed(cluster: Cluster, namespace: str) -> Iterator[Contact]:
    """Services that the outside reaches by load balancer or node port."""
    for raw in cluster.traffic.services:
        spec, meta = raw.spec, raw.metadata
        kind = spec.type if spec else None
        if meta.namespace != namespace or kind not in ("LoadBalancer", "NodePort"):
            continue
        service = cluster.services[(namespace, meta.name)]
        evidence = f"Service {namespace}/{meta.name} has type {kind}"
        given = map(parse_network, (spec and spec.loadBalancerSourceRanges) or ())
        ranges = tuple(str(one) for one in given if one) or ("0.0.0.0/0", "::/0")
        address = ANYWHERE if "0.0.0.0/0" in ranges else ranges[0].partition("/")[0]
        outside = Outside("clients outside of the cluster", address, ranges)
        for behind in _behind(cluster, service, 0):
            yield _to(outside, behind, evidence, service, "exposed")


def _scraped(cluster: Cluster, namespace: str, baseline: Baseline) -> Iterator[Contact]:
    """Pods that ask for it by the annotations that Prometheus' example configuration reads."""
    preset = baseline.allow.monitoring
    scraper = Somebody("whoever scrapes metrics", preset.namespaces if preset else ())
    for actor in cluster.actors_by_namespace.get(namespace, ()):
        if actor.annotations.get(_SCRAPE) != "true":
            continue
        wanted = actor.annotations.get(_SCRAPE_PORT, "")
        ports = [int(wanted)] if wanted.isdecimal() else [one for _, one in actor.numbers]
        for port in ports:
            evidence = f"annotation {_SCRAPE} of {actor.title}"
            yield Contact(scraper, actor, "TCP", port, evidence, "metrics")


# --- What somebody has written a NetworkPolicy for


def _allowed(cluster: Cluster, namespace: str) -> Iterator[Contact]:
    """Connections to or from pods of the namespace that a NetworkPolicy names with a port."""
    for policy in cluster.policies:
        for direction in Direction:
            for rule in allows(policy, direction):
                if rule.peers and rule.ports:
                    yield from _between(cluster, namespace, policy, rule)


def _between(
    cluster: Cluster, namespace: str, policy: NetworkPolicy, rule: Allow
) -> Iterator[Contact]:
    inside, actors = rule.namespace == namespace, cluster.actors_by_namespace
    mine = [one for one in actors.get(rule.namespace, ()) if selector(policy).matches(one.labels)]
    if not mine:
        return
    reach = cluster.actors if inside else actors.get(namespace, ())
    others = [one for one in reach if _is_peer(cluster, rule, one)]
    evidence = f"NetworkPolicy {rule.namespace}/{rule.policy} allows it"
    for one in mine:
        for other in others:
            source, target = (other, one) if rule.direction is Direction.INGRESS else (one, other)
            for protocol, port in _numbers(rule.ports, target):
                yield Contact(source, target, protocol, port, evidence)


def _is_peer(cluster: Cluster, rule: Allow, one: Actor) -> bool:
    parties = cluster.parties(one)
    return any(
        isinstance(party, Pods) and matches_peer(peer, party, rule.namespace)
        for peer in rule.peers
        for party in parties
    )


def _numbers(ports: Iterable[NetworkPolicyPort], target: Actor) -> Iterator[tuple[str, int]]:
    """Of a range only the first, which stands for all."""
    for one in ports:
        protocol = one.protocol or "TCP"
        if isinstance(one.port, int):
            yield protocol, one.port
        elif isinstance(one.port, str) and (one.port, protocol) in target.ports:
            yield protocol, target.ports[one.port, protocol]


def is_public(address: str) -> bool:
    """Whether it is outside of private networks; documentation addresses stand for public ones."""
    return address == ANYWHERE or ip_address(address).is_global


def unused(cluster: Cluster, namespace: str, found: Iterable[Contact]) -> Iterator[str]:
    """Names of Services of the namespace that no contact uses: their clients are not known."""
    used = {one.service for one in found}
    for place, service in sorted(cluster.services.items()):
        if place[0] == namespace and service.selector and place not in used:
            yield service.name
