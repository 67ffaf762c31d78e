"""Whether source ranges keep the world away from a load balancer.

Pure functions on CIDRs as text. kube-proxy and clouds filter each IP family by the ranges of that
family: a family without any is not filtered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import collapse_addresses, ip_network
from typing import Any, NamedTuple

from policies.objects import ServiceSpec
from policies.services.addresses import Network, parse_network


class _Family(NamedTuple):
    """An IP family: its name in spec.ipFamilies, its bits, and the most public addresses let in."""

    name: str
    version: int
    bits: int
    most: int
    private: tuple[Any, ...]


# The world can be written in pieces, and all of it but one address is still the world. So what
# counts is how many public addresses get in. No organisation's clients are more than an IPv4 /8
# or, in IPv6, a /16: the registries themselves allocate no larger blocks to anybody.
# Private are RFC 1918, RFC 6598 and RFC 4193, link-local and loopback.
_FAMILIES = (
    _Family(
        "IPv4",
        4,
        32,
        2 ** (32 - 8),
        tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
        + tuple(map(ip_network, ("169.254.0.0/16", "127.0.0.0/8"))),
    ),
    _Family(
        "IPv6", 6, 128, 2 ** (128 - 16), tuple(map(ip_network, ("fc00::/7", "fe80::/10", "::1")))
    ),
)
_BY_VERSION = {family.version: family for family in _FAMILIES}
# More than any provider takes: the rules of an AWS security group are 60, of an Azure one 1000.
# A limit, because merging takes time that the request does not have.
_MOST_RANGES = 1000


class Gap(NamedTuple):
    """Why ranges restrict nothing: the position of the range at fault, if it is one alone."""

    at: int | None
    why: str


def families(spec: ServiceSpec) -> tuple[str, ...]:
    """The IP families of a Service, as far as it tells: () before the API server has set them."""
    if spec.ipFamilies:
        return tuple(spec.ipFamilies)
    dual = (spec.ipFamilyPolicy or "").endswith("DualStack")
    return tuple(family.name for family in _FAMILIES) if dual else ()


def gap(ranges: Sequence[str], must_cover: Iterable[str] = ()) -> Gap | None:
    """Why the world gets through these ranges; None if it does not.

    must_cover: IP families that the load balancer has and that each need a range.
    """
    if len(ranges) > _MOST_RANGES:
        return Gap(None, f"must have at most {_MOST_RANGES} entries")
    networks: list[Network] = []
    for at, text in enumerate(ranges):
        network = parse_network(text)
        if network is None:
            return Gap(at, f"must be a CIDR, not {text!r}")
        if _is_too_wide([network], _BY_VERSION[network.version]):
            return Gap(at, f"must be narrower than {text.strip()}")
        networks.append(network)
    return _gap_of(networks, must_cover)


def _gap_of(networks: Sequence[Network], must_cover: Iterable[str]) -> Gap | None:
    for family in _FAMILIES:
        own = [network for network in networks if network.version == family.version]
        if not own and family.name in must_cover:
            return Gap(None, f"must restrict {family.name} as well")
        if _is_too_wide(collapse_addresses(own), family):
            return Gap(None, f"must not add up to most of the {family.name} internet")
    return None


def _is_too_wide(networks: Iterable[Any], family: _Family) -> bool:
    return _public(networks, family) > family.most


def _public(networks: Iterable[Any], family: _Family) -> int:
    """How many public addresses networks of one family hold, none of them inside another."""
    return sum(
        network.num_addresses
        for network in networks
        if not any(network.subnet_of(private) for private in family.private)
    )


UNCLEAR = "who knows"
"""Open to an extent that the Service does not tell."""


def everything(spec: ServiceSpec) -> frozenset[str]:
    """What is open without any range, in the words of `left_open`."""
    names = families(spec)
    chosen = (one for one in _FAMILIES if one.name in names or not names)
    levels = (_levels(one, 2**one.bits) for one in chosen)
    return frozenset({UNCLEAR}).union(*levels)


def left_open(ranges: Sequence[str], spec: ServiceSpec) -> frozenset[str]:
    """What gets through these ranges, so that two answers can be compared: who lets in fewer, by
    powers of two and for every family, leaves a subset open.
    """
    networks = [parse_network(text) for text in ranges[:_MOST_RANGES]]
    if None in networks or len(ranges) > _MOST_RANGES:
        return frozenset({UNCLEAR})
    names, found = families(spec), set[str]()
    for family in _FAMILIES:
        own = [one for one in networks if one is not None and one.version == family.version]
        if own and (family.name in names or not names):
            found |= _levels(family, _public(collapse_addresses(own), family))
        elif family.name in names:
            found |= _levels(family, 2**family.bits)
    return frozenset(found)


def _levels(family: _Family, public: int) -> frozenset[str]:
    """The powers of two above what is narrow, up to as many addresses as these."""
    first, last = family.most.bit_length(), (public - 1).bit_length()
    return frozenset(f"{family.name} 2^{power}" for power in range(first, last + 1))
