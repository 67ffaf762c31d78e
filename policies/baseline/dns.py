"""Where the DNS queries of pods go in this cluster, computed from what runs there.

Owns the shape of policies/knowledge/dns.toml, which only says what to look for: every label, port
and address comes from a live object. UDP and TCP are always both allowed: a truncated answer is
asked for again over TCP.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import pairwise
from typing import NamedTuple

import msgspec

from policies.baseline.config import Dns, DnsService
from policies.baseline.facts import DaemonSet, Facts, Service, canonical
from policies.baseline.grants import Grant, Json, Port, Problem, blocks, pods_in
from policies.knowledge import load
from policies.network_policies.effective import Direction
from policies.objects import Labels

DNS_PORT = 53
"""resolv.conf has no other."""
_KUBE_SYSTEM = "kube-system"
_ADDON = {
    "k8s-app": "kube-dns"
}  # of the Service, whatever its name (kubeadm's phase addon/coredns)
_LOCAL_ADDRESSES = "localip"  # flag of kubernetes/dns cmd/node-cache


class _Resolver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    node: Labels = {}
    group: str | None = None
    kubelet: str | None = None
    addresses: tuple[str, ...] = ()
    onNode: bool = False

    def runs(self, facts: Facts) -> bool:
        """API groups tell before the first node is there, and none comes while pods are gated."""
        return self.group in facts.groups or any(
            (self.node and self.node.items() <= node.labels.items())
            or (self.kubelet is not None and self.kubelet in node.kubelet)
            for node in facts.nodes
        )


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    services: tuple[DnsService, ...]
    resolvers: tuple[_Resolver, ...]


TABLE = load("dns", _Table)


class Resolved(NamedTuple):
    """grants: what allow-dns allows; none if no DNS was found."""

    grants: tuple[Grant, ...]
    problems: tuple[Problem, ...]


def namespaces(config: Dns) -> frozenset[str]:
    """The namespaces to look for DNS Services in."""
    return frozenset(one.namespace for one in config.services or TABLE.services)


def resolve(
    config: Dns,
    facts: Facts,
    *,
    ip_blocks_match_pods: bool = True,
    ip_blocks_match_nodes: bool = True,
) -> Resolved:
    """What pods must be able to reach; the keywords: as of `cni.Enforcement`."""
    found: list[Grant | Problem] = []
    services = tuple(_services(config, facts))
    for service in services:
        found += _behind(service, facts)
    found += _node_local(config, facts, ip_blocks_match_pods)
    found += _resolvers(facts, services, ip_blocks_match_pods)
    if config.addresses:
        peers = blocks(config.addresses)
        found.append(_grant(peers, (DNS_PORT,), "configured: baseline.dns.addresses"))
    grants = tuple(one for one in found if isinstance(one, Grant))
    problems = [one for one in found if isinstance(one, Problem)]
    problems += _configured_and_absent(config, facts)
    if not grants:
        problems.append(_not_found(config))
    elif not ip_blocks_match_nodes:
        problems += _host_network_on_cilium(services, facts)
    return Resolved(grants, tuple(problems))


def _grant(peers: tuple[Json, ...], ports: Iterable[int], why: str) -> Grant:
    both = tuple(Port(protocol, port) for port in sorted(ports) for protocol in ("UDP", "TCP"))
    return Grant(Direction.EGRESS, peers, both, why)


# --- Services


def _services(config: Dns, facts: Facts) -> Iterator[Service]:
    """The configured ones, else those of a known name, else the one labelled as the DNS add-on."""
    places = config.services or TABLE.services
    named = [one for place in places if (one := facts.service(place.namespace, place.name))]
    yield from named
    if not named and not config.services:
        yield from (one for one in facts.services if _is_addon(one))


def _is_addon(service: Service) -> bool:
    return (
        service.namespace == _KUBE_SYSTEM
        and _ADDON.items() <= service.labels.items()
        and any(one.port == DNS_PORT for one in service.ports)
    )


def _behind(service: Service, facts: Facts) -> Iterator[Grant | Problem]:
    """What stands behind one Service."""
    title = f"Service {service.namespace}/{service.name}"
    ports = _target_ports(service, facts)
    if not ports:
        yield Problem("DnsPortUnknown", f"{title} has no endpoints that tell its port {DNS_PORT}")
        return
    if not any(one.protocol == "TCP" for one in service.ports if one.port == DNS_PORT):
        yield Problem("DnsWithoutTcp", f"{title} has no TCP port {DNS_PORT}: long answers fail")
    on = " and ".join(map(str, sorted(ports)))
    on_nodes, elsewhere = _addresses(service, facts)
    if service.selector:
        labels = ", ".join(f"{key}={value}" for key, value in sorted(service.selector.items()))
        peer = pods_in((service.namespace,), service.selector)
        yield _grant((peer,), ports, f"{title} selects pods with {labels}; they listen on {on}")
    elif elsewhere:
        why = f"{title} has no selector; these are its endpoints, and they listen on {on}"
        yield _grant(blocks(elsewhere), ports, why)
    if on_nodes:
        why = f"{title}: its pods use the network of these nodes, and they listen on {on}"
        yield _grant(blocks(on_nodes), ports, why)


def _target_ports(service: Service, facts: Facts) -> frozenset[int]:
    """The numbers behind port 53: the Service's own, or what the endpoints make of a name."""
    offered = [one for one in service.ports if one.port == DNS_PORT]
    if service.selector:
        fixed = frozenset(one.target for one in offered if isinstance(one.target, int))
        names = {one.name for one in offered if isinstance(one.target, str)}
    else:
        fixed, names = frozenset(), {one.name for one in offered}
    of_slices = (port for one in facts.slices_of(service) for port in one.ports)
    return fixed | {port.port for port in of_slices if port.name in names}


def _addresses(service: Service, facts: Facts) -> tuple[list[str], list[str]]:
    """Of the endpoints: those that are a node's, and the others."""
    found = {address for one in facts.slices_of(service) for address in one.addresses}
    nodes = facts.node_addresses
    return sorted(found & nodes), sorted(found - nodes)


def _host_network_on_cilium(services: Iterable[Service], facts: Facts) -> Iterator[Problem]:
    for service in services:
        if _addresses(service, facts)[0]:
            yield Problem(
                "HostNetworkDnsOnCilium",
                f"pods of Service {service.namespace}/{service.name} use the network of their "
                f"nodes, which no ipBlock matches on Cilium: open it by {_CILIUM_POLICY}: [host, "
                f"remote-node] and the ports of DNS",
            )


_CILIUM_POLICY = "a CiliumClusterwideNetworkPolicy with toEntities"


# --- Resolvers on the node


def _node_local(config: Dns, facts: Facts, ip_blocks_match_pods: bool) -> Iterator[Grant | Problem]:
    """NodeLocal DNSCache: told by the flag that says on which addresses it listens.

    With kube-proxy in iptables mode the ClusterIP is one of them, and queries to it are then
    answered on the node without ever being translated to a pod's address.
    """
    trusted = namespaces(config) | {_KUBE_SYSTEM}
    for one in facts.daemon_sets:
        listens = _local_addresses(one)
        if listens is None or not one.runs or one.namespace not in trusted:
            continue
        title = f"NodeLocal DNSCache of DaemonSet {one.namespace}/{one.name}"
        if listens:
            why = f"{title} listens on these addresses of every node"
            yield _grant(blocks(listens), (DNS_PORT,), why)
        elif one.host_network:
            yield Problem("NodeLocalAddressUnknown", f"{title} {_UNREADABLE}")
        if one.labels and not (one.host_network and ip_blocks_match_pods):
            why = f"{title}: queries may be redirected to its pods"
            yield _grant((pods_in((one.namespace,), one.labels),), (DNS_PORT,), why)
        if one.host_network and not ip_blocks_match_pods:
            yield Problem("NodeLocalOnCilium", f"{title} {_ON_CILIUM}")


_UNREADABLE = (
    f"has no address that can be read from its flag -{_LOCAL_ADDRESSES}: set baseline.dns.addresses"
)
_ON_CILIUM = (
    f"uses the node's network, which no NetworkPolicy opens on Cilium: open it by "
    f"{_CILIUM_POLICY}: [host] and port {DNS_PORT}, or run it behind a CiliumLocalRedirectPolicy"
)


_RESOLVER_ON_CILIUM = (
    f"answers on the node, which no NetworkPolicy opens on Cilium: open it by {_CILIUM_POLICY}: "
    f"[host] and port {DNS_PORT}"
)


def _local_addresses(daemon_set: DaemonSet) -> tuple[str, ...] | None:
    """The values of -localip, in every form that Go's flag package takes; None without the flag."""
    found: list[str] | None = None
    for container in daemon_set.containers:
        for flag, value in pairwise((*container.arguments, "")):
            name, equals, inline = flag.lstrip("-").partition("=")
            if flag.startswith("-") and name == _LOCAL_ADDRESSES:
                found = [*(found or ()), *(inline if equals else value).split(",")]
    if found is None:
        return None
    return tuple(one for one in map(canonical, found) if one and not ip_address(one).is_unspecified)


def _resolvers(
    facts: Facts, services: tuple[Service, ...], ip_blocks_match_pods: bool
) -> Iterator[Grant | Problem]:
    for one in TABLE.resolvers:
        if not one.runs(facts):
            continue
        addresses = one.addresses or _cluster_dns(facts, services)
        if addresses:
            why = f"{one.name}: pods may ask a resolver on their node at this address"
            yield _grant(blocks(addresses), (DNS_PORT,), why)
            if one.onNode and not ip_blocks_match_pods:
                yield Problem("ResolverOnCilium", f"{one.name} {_RESOLVER_ON_CILIUM}")
        else:
            yield Problem(
                "ResolverAddressUnknown",
                f"{one.name}: pods ask a resolver on their node, and neither a DNS Service nor the "
                f"Service default/kubernetes tells its address: set baseline.dns.addresses",
            )


def _cluster_dns(facts: Facts, services: Iterable[Service]) -> tuple[str, ...]:
    """ClusterIPs of DNS Services, else the tenth address of the network of Services.

    The Service default/kubernetes always has the first one.
    """
    if of_services := tuple(address for one in services for address in one.addresses):
        return of_services
    first = facts.service("default", "kubernetes")
    return tuple(str(ip_address(one) + 9) for one in (first.addresses if first else ()))


# --- What is missing


def _configured_and_absent(config: Dns, facts: Facts) -> Iterator[Problem]:
    for one in config.services:
        if facts.service(one.namespace, one.name) is None:
            message = f"Service {one.namespace}/{one.name} of baseline.dns.services does not exist"
            yield Problem("DnsServiceNotFound", message)


def _not_found(config: Dns) -> Problem:
    names = ", ".join(f"{one.namespace}/{one.name}" for one in config.services or TABLE.services)
    what = {
        "hold": "nothing is generated, and new namespaces wait",
        "deny-only": "new namespaces are denied everything, DNS included",
    }[config.whenNotFound]
    fix = "set baseline.dns.services or baseline.dns.addresses"
    return Problem("DnsNotFound", f"no DNS was found (looked for {names}): {what}; {fix}")
