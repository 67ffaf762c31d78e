"""Whether rules of NetworkPolicies add up to everybody on every port, however that is written.

``[{}]`` is only its shortest form: 0.0.0.0/0 is as open, and so are two halves of the address
space, all namespaces beside it, or ports 1-1023 in one rule and the rest in another. Owns no
verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from ipaddress import ip_network
from typing import NamedTuple

from policies.network_policies.effective import DEFAULT_PROTOCOL, Allow
from policies.network_policies.views import IPBlock, NetworkPolicyPort
from policies.services.addresses import Network

PROTOCOLS = ("TCP", "UDP", "SCTP")
FAMILIES = (4, 6)
_LAST_PORT = 65535

Span = tuple[int, int]
"""First and last number of a run of ports or addresses."""


class Opening(NamedTuple):
    """Every port of a protocol is open to every address of an IP family (4 or 6)."""

    protocol: str
    family: int


def openings(rules: Iterable[Allow]) -> frozenset[Opening]:
    """What rules of one direction open to everybody on every port.

    Rules with the same ports are taken together for their peers, and what then is open to
    everybody is taken together for its ports.
    """
    rules = tuple(rules)
    everybody = cache(lambda group: _everybody(rules[position] for position in group))
    found = set()
    for protocol in PROTOCOLS:
        groups: dict[tuple[Span, ...], list[int]] = {}
        for position, rule in enumerate(rules):
            groups.setdefault(_ports(rule, protocol), []).append(position)
        if _all_ports(groups):
            for family in FAMILIES:
                if _all_ports(on for on, of in groups.items() if family in everybody(tuple(of))):
                    found.add(Opening(protocol, family))
    return frozenset(found)


def _all_ports(groups: Iterable[tuple[Span, ...]]) -> bool:
    return not any(gaps((span for spans in groups for span in spans), 1, _LAST_PORT))


def describe(found: Iterable[Opening]) -> str:
    """In words: ``any peer on any port``, ``any IPv4 address on any TCP or UDP port``."""
    found = tuple(found)
    families = {one.family for one in found}
    protocols = [one for one in PROTOCOLS if any(one == opening.protocol for opening in found)]
    peers = "any peer" if len(families) == len(FAMILIES) else f"any IPv{min(families)} address"
    kind = "" if len(protocols) == len(PROTOCOLS) else f"{' or '.join(protocols)} "
    return f"{peers} on any {kind}port"


def _ports(rule: Allow, protocol: str) -> tuple[Span, ...]:
    """The ports of a protocol that a rule names by number, merged; all of them without a list."""
    spans = [_span(port) for port in rule.ports if (port.protocol or DEFAULT_PROTOCOL) == protocol]
    if not rule.ports:
        spans = [(1, _LAST_PORT)]
    closed = gaps(spans, 1, _LAST_PORT)
    return tuple(gaps(closed, 1, _LAST_PORT))


def _span(port: NetworkPolicyPort) -> Span:
    if port.port is None:
        return 1, _LAST_PORT
    if isinstance(port.port, str):  # one port, a different one on every pod
        return 0, 0
    return port.port, port.endPort or port.port


def _everybody(rules: Iterable[Allow]) -> frozenset[int]:
    """The IP families of which the peers of these rules are everybody."""
    blocks: list[IPBlock] = []
    for rule in rules:
        if not rule.peers:
            return frozenset(FAMILIES)
        blocks += (peer.ipBlock for peer in rule.peers if peer.ipBlock)
    return frozenset(family for family in FAMILIES if _leaves_nobody_out(blocks, family))


_LAST_ADDRESS = {4: 2**32 - 1, 6: 2**128 - 1}

# Where neither pods nor services of the internet live: what leaves only these out protects nothing
# that a default-deny is for. (IANA special-purpose registries, RFC 6890; of IPv6 all but global
# unicast 2000::/3 and unique local fc00::/7.)
_NOWHERE_IPV4 = (
    *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.2.0/24", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
)
_NOWHERE_IPV6 = (
    *("::/3", "2001:db8::/32", "4000::/2", "8000::/2", "c000::/3"),
    *("e000::/4", "f000::/5", "f800::/6", "fe00::/7"),
)
_NOWHERE = {4: _NOWHERE_IPV4, 6: _NOWHERE_IPV6}

# All but a few addresses is still everybody. The pods of one node are a /24 or a /64 by default
# (kube-controller-manager --node-cidr-mask-size-ipv4, -ipv6); leaving out less is leaving out
# some hosts, not a network.
_A_FEW = {4: 2**8, 6: 2**64}


def _leaves_nobody_out(blocks: Iterable[IPBlock], family: int) -> bool:
    spans = list(_nowhere(family))
    for block in blocks:
        for first, last in _edges([block.network], family):
            spans += gaps(_edges(block.exceptions, family), first, last)
    left_out = gaps(spans, 0, _LAST_ADDRESS[family])
    return sum(last - first + 1 for first, last in left_out) < _A_FEW[family]


@cache
def _nowhere(family: int) -> tuple[Span, ...]:
    return tuple(_edges(map(ip_network, _NOWHERE[family]), family))


def _edges(networks: Iterable[Network | None], family: int) -> Iterator[Span]:
    for one in networks:
        if one is not None and one.version == family:
            first = int(one.network_address)
            yield first, first | (1 << (one.max_prefixlen - one.prefixlen)) - 1


def gaps(spans: Iterable[Span], first: int, last: int) -> Iterator[Span]:
    """The parts of ``first`` to ``last`` that no span covers, in order."""
    at = first
    for begin, end in sorted(spans):
        if begin > last:
            break
        if begin > at:
            yield at, begin - 1
        at = max(at, end + 1)
    if at <= last:
        yield at, last
