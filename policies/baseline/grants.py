"""One thing that a baseline opens, why, and how it is written in a NetworkPolicy.

Specs are plain JSON in the form that the API server gives back (policyTypes and protocols written
out, nothing empty), so that what is wanted and what is observed can be compared as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Network, collapse_addresses, ip_network
from typing import Any, NamedTuple, cast

from policies.labels import NAME_LABEL
from policies.network_policies.effective import Direction
from policies.services.addresses import Network

Json = dict[str, Any]


class Port(NamedTuple):
    protocol: str
    number: int


class Problem(NamedTuple):
    """What a person should know. reason: one CamelCase word, as of conditions and events."""

    reason: str
    message: str


class Grant(NamedTuple):
    """Peers that may be reached (Egress) or may come (Ingress), on any of the ports.

    peers: as NetworkPolicy writes them; none is an error, EVERYBODY means any. ports: none means
    all. why: one line, with the fact that this comes from.
    """

    direction: Direction
    peers: tuple[Json, ...]
    ports: tuple[Port, ...]
    why: str

    def rule(self) -> Json:
        """This grant as one rule of a NetworkPolicy."""
        assert self.peers, self  # a rule without peers would open everything
        rule: Json = {}
        if self.peers != EVERYBODY:
            rule[self.direction.peers] = list(self.peers)
        if self.ports:
            rule["ports"] = [{"protocol": one.protocol, "port": one.number} for one in self.ports]
        return rule


EVERYBODY: tuple[Json, ...] = ({},)


def spec(grants: Iterable[Grant], pods: Mapping[str, str] = {}) -> Json:
    """A NetworkPolicy that speaks to the directions of its grants.

    pods: the labels of those it is for, all where empty.
    """
    grants = tuple(grants)
    found: Json = {"podSelector": {"matchLabels": dict(pods)} if pods else {}}
    found["policyTypes"] = [
        one.value for one in Direction if any(grant.direction is one for grant in grants)
    ]
    for direction in Direction:
        if rules := [grant.rule() for grant in grants if grant.direction is direction]:
            found[direction.rules] = rules
    return found


def pods_in(namespaces: Iterable[str], labels: Mapping[str, str] = {}) -> Json:
    """Pods of namespaces, by name, with these labels; without labels all of them."""
    names = sorted(set(namespaces))
    peer: Json = {"namespaceSelector": {"matchLabels": {NAME_LABEL: names[0]}}}
    if len(names) > 1:
        in_names = {"key": NAME_LABEL, "operator": "In", "values": names}
        peer["namespaceSelector"] = {"matchExpressions": [in_names]}
    if labels:
        peer["podSelector"] = {"matchLabels": dict(sorted(labels.items()))}
    return peer


def blocks(
    networks: Iterable[str],
    holes: Iterable[str] = (),
    *,
    families: Collection[int] = (4, 6),
) -> tuple[Json, ...]:
    """ipBlocks of these families, sorted; an address becomes a network of its own.

    holes: networks to leave out of those that hold them.
    """
    found = {one for one in map(ip_network, networks) if one.version in families}
    inside = [ip_network(one) for one in holes]
    return tuple(_block(one, inside) for one in sorted(found, key=lambda one: (one.version, one)))


def _block(network: Network, holes: Iterable[Network]) -> Json:
    inside = [one for one in holes if one != network and _holds(network, one)]
    block: Json = {"cidr": str(network)}
    if cut := [str(one) for one in collapse_addresses(cast("list[IPv4Network]", inside))]:
        block["except"] = cut
    return {"ipBlock": block}


def _holds(network: Network, other: Network) -> bool:
    return network.version == other.version and other.subnet_of(network)  # type: ignore[arg-type]
