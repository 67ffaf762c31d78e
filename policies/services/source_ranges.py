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
    """An IP family: its name in spec.ipFamilies, and the most public addresses let in."""

    name: str
    version: int
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
        2 ** (32 - 8),
        tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
        + tuple(map(ip_network, ("169.254.0.0/16", "127.0.0.0/8"))),
    ),
    _Family("IPv6", 6, 2 ** (128 - 16), tuple(map(ip_network, ("fc00::/7", "fe80::/10", "::1")))),
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
    for family in _FAMILIES:
        own = [network for network in networks if network.version == family.version]
        if not own and family.name in must_cover:
            return Gap(None, f"must restrict {family.name} as well")
        if _is_too_wide(collapse_addresses(own), family):
            return Gap(None, f"must not add up to most of the {family.name} internet")
    return None


def _is_too_wide(networks: Iterable[Any], family: _Family) -> bool:
    """Whether networks of one family, none inside another, hold too many public addresses."""
    public = 0
    for network in networks:
        if not any(network.subnet_of(private) for private in family.private):
            public += network.num_addresses
    return public > family.most
