"""What users of a default deny need every day, by name: the presets of ``allow``.

Each field of `Allow` is a preset and becomes the NetworkPolicy ``allow-<its name>``. Knows no
namespace: a preset opens the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from policies.baseline.facts import Facts
from policies.baseline.grants import EVERYBODY, Grant, Json, Port, Problem, blocks, pods_in
from policies.baseline.settings import Cidr, Namespace, PortNumber, check_networks
from policies.network_policies.effective import Direction
from policies.services.addresses import METADATA

_PRIVATE = (
    "10.0.0.0/8",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
"""RFC 1918, 3927, 4193, 4291, 6598: where pods, nodes, API servers and cloud metadata are."""


class _Peers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of presets that name peers by namespace or network.

    namespaces: by name, all of their pods.
    cidrs: networks outside of the cluster.
    ports: TCP ports; all ports if none is given.
    """

    namespaces: tuple[Namespace, ...] = ()
    cidrs: tuple[Cidr, ...] = ()
    ports: tuple[PortNumber, ...] = ()

    def __post_init__(self) -> None:
        if not self.namespaces and not self.cidrs:
            raise ValueError("needs namespaces or cidrs")
        check_networks(self.cidrs)


class IngressControllers(_Peers, frozen=True, forbid_unknown_fields=True):
    """Who brings requests from outside: ingress controllers and gateways.

    namespaces: those in which they run.
    cidrs: networks of load balancers that reach pods directly, or of the nodes where controllers
        use the node's network.
    ports: TCP ports of the pods; all ports if none is given.
    """


class Monitoring(_Peers, frozen=True, forbid_unknown_fields=True):
    """Who scrapes metrics.

    namespaces: those in which they run.
    cidrs: their networks, where they run outside of the cluster.
    ports: TCP ports of the pods; all ports if none is given.
    """


class EgressProxy(_Peers, frozen=True, forbid_unknown_fields=True):
    """The proxy through which pods reach the outside.

    namespaces: those in which it runs.
    cidrs: its networks, where it runs outside of the cluster.
    ports: its TCP ports, at least one.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.ports:
            raise ValueError("needs ports: those of the proxy")


class Internet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Public addresses: everything but private networks and cloud metadata servers.

    ports: TCP ports.
    exceptCidrs: further networks to leave out.
    """

    ports: tuple[PortNumber, ...] = (443,)
    exceptCidrs: tuple[Cidr, ...] = ()

    def __post_init__(self) -> None:
        check_networks(self.exceptCidrs)


class Allow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is open in addition to DNS.

    sameNamespace: between the pods of the namespace, both ways.
    ingressControllers: from ingress controllers and gateways to pods.
    monitoring: from the programs that scrape metrics to pods.
    egressProxy: from pods to a proxy.
    internet: from pods to public addresses.
    apiServer: from pods to the API server.
    anyEgress: from pods to everywhere; only incoming traffic is then denied.
    """

    sameNamespace: bool = False
    ingressControllers: IngressControllers | None = None
    monitoring: Monitoring | None = None
    egressProxy: EgressProxy | None = None
    internet: Internet | None = None
    apiServer: bool = False
    anyEgress: bool = False


class Opened(NamedTuple):
    """A preset in use: the name of its NetworkPolicy, and what that allows; () if impossible."""

    name: str
    grants: tuple[Grant, ...]


def opened(allow: Allow, facts: Facts, tunnels: tuple[Port, ...]) -> tuple[Opened, ...]:
    """The presets that are set, in the order of `Allow`.

    tunnels: ports on which the mesh of the namespace carries traffic for other ports.
    """
    values = msgspec.structs.asdict(allow)
    return tuple(
        Opened(_name(field), tuple(_PRESETS[field](values[field], facts, tunnels)))
        for field in _used(allow)
    )


def names(allow: Allow) -> frozenset[str]:
    """Of the NetworkPolicies of these presets, whether or not the facts let them open anything."""
    return frozenset(map(_name, _used(allow)))


def _used(allow: Allow) -> list[str]:
    return [field for field in _PRESETS if getattr(allow, field)]


def problems(allow: Allow, facts: Facts, *, ip_blocks_match_nodes: bool) -> Iterator[Problem]:
    """What of this cannot work in this cluster."""
    if allow.apiServer and not facts.slices_named(*_API_SERVER):
        yield Problem("ApiServerNotFound", "the Service default/kubernetes has no endpoints")
    if allow.apiServer and not ip_blocks_match_nodes:
        yield Problem(
            "ApiServerOnCilium",
            "Cilium matches no ipBlock with API servers that run on nodes of the cluster: there, "
            "allow them by a CiliumClusterwideNetworkPolicy with toEntities: [kube-apiserver]",
        )


def _name(field: str) -> str:
    kebab = "".join(f"-{one.lower()}" if one.isupper() else one for one in field)
    return f"allow-{kebab}"


def _same_namespace(value: bool, facts: Facts, tunnels: tuple[Port, ...]) -> Iterator[Grant]:
    peers: tuple[Json, ...] = ({"podSelector": {}},)
    for direction in Direction:
        yield Grant(direction, peers, (), "pods of the same namespace (allow.sameNamespace)")


def _from(preset: str) -> Callable[[Any, Facts, tuple[Port, ...]], Iterator[Grant]]:
    return lambda peers, facts, tunnels: _peers(Direction.INGRESS, preset, peers, tunnels)


def _egress_proxy(peers: EgressProxy, facts: Facts, tunnels: tuple[Port, ...]) -> Iterator[Grant]:
    return _peers(Direction.EGRESS, "egressProxy", peers, tunnels)


def _peers(
    direction: Direction, preset: str, peers: _Peers, tunnels: tuple[Port, ...]
) -> Iterator[Grant]:
    ports = _tcp(peers.ports)
    if peers.namespaces:
        names = ", ".join(sorted(set(peers.namespaces)))
        why = f"pods of {names} (allow.{preset}.namespaces)"
        carried = tuple(one for one in tunnels if ports and one not in ports)
        if carried:
            numbers = ", ".join(str(one.number) for one in carried)
            why += f"; {numbers} carries the mesh's traffic for every port"
        yield Grant(direction, (pods_in(peers.namespaces),), ports + carried, why)
    if peers.cidrs:
        yield Grant(direction, blocks(peers.cidrs), ports, f"configured: allow.{preset}.cidrs")


def _internet(value: Internet, facts: Facts, tunnels: tuple[Port, ...]) -> Iterator[Grant]:
    holes = (*_PRIVATE, *value.exceptCidrs, *(one.address for one in METADATA.addresses))
    peers = blocks(("0.0.0.0/0", "::/0"), holes, families=facts.families)
    why = "public addresses, without private networks and metadata servers (allow.internet)"
    yield Grant(Direction.EGRESS, peers, _tcp(value.ports), why)


_API_SERVER = ("default", "kubernetes")


def _api_server(value: bool, facts: Facts, tunnels: tuple[Port, ...]) -> Iterator[Grant]:
    for one in facts.slices_named(*_API_SERVER):
        ports = tuple(sorted({Port(port.protocol, port.port) for port in one.ports}))
        if one.addresses and ports:
            why = "endpoints of the Service default/kubernetes (allow.apiServer)"
            yield Grant(Direction.EGRESS, blocks(one.addresses), ports, why)


def _any_egress(value: bool, facts: Facts, tunnels: tuple[Port, ...]) -> Iterator[Grant]:
    yield Grant(Direction.EGRESS, EVERYBODY, (), "everything out (allow.anyEgress)")


def _tcp(numbers: tuple[int, ...]) -> tuple[Port, ...]:
    return tuple(Port("TCP", number) for number in sorted(set(numbers)))


_PRESETS: Mapping[str, Callable[[Any, Facts, tuple[Port, ...]], Iterator[Grant]]] = {
    "sameNamespace": _same_namespace,
    "ingressControllers": _from("ingressControllers"),
    "monitoring": _from("monitoring"),
    "egressProxy": _egress_proxy,
    "internet": _internet,
    "apiServer": _api_server,
    "anyEgress": _any_egress,
}
