"""Whether source ranges keep the world away from a load balancer.

Pure functions on CIDRs as text. kube-proxy and clouds filter each IP family by the ranges of that
family: a family without any is not filtered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import NamedTuple

from policies.objects import ServiceSpec
from policies.services.addresses import parse_network

IPV4, IPV6 = "IPv4", "IPv6"
"""As in spec.ipFamilies."""

# RFC 1918, RFC 6598, link-local, loopback; unique local (RFC 4193), link-local, loopback
_PRIVATE_V4 = [
    IPv4Network(cidr)
    for cidr in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
    )
]
_PRIVATE_V6 = [IPv6Network(cidr) for cidr in ("fc00::/7", "fe80::/10", "::1/128")]
# The world can be written in pieces, and all of it but one address is still the world. So what
# counts is how many public addresses get in. No organisation's clients are more than an IPv4 /8
# or, in IPv6, a /16: the registries themselves allocate no larger blocks to anybody.
_MOST_PUBLIC_V4 = 2 ** (32 - 8)
_MOST_PUBLIC_V6 = 2 ** (128 - 16)


class Gap(NamedTuple):
    """Why ranges restrict nothing: the position of the range at fault, if it is one alone."""

    at: int | None
    why: str


def families(spec: ServiceSpec) -> tuple[str, ...]:
    """The IP families of a Service, as far as it tells: () before the API server has set them."""
    if spec.ipFamilies:
        return tuple(spec.ipFamilies)
    return (IPV4, IPV6) if (spec.ipFamilyPolicy or "").endswith("DualStack") else ()


def gap(ranges: Sequence[str], must_cover: Iterable[str] = ()) -> Gap | None:
    """Why the world gets through these ranges; None if it does not.

    must_cover: IP families that the load balancer has and that each need a range.
    """
    v4: list[IPv4Network] = []
    v6: list[IPv6Network] = []
    for at, text in enumerate(ranges):
        network = parse_network(text)
        if network is None:
            return Gap(at, f"must be a CIDR, not {text!r}")
        if isinstance(network, IPv4Network):
            v4.append(network)
        else:
            v6.append(network)
        if _is_world(v4[-1:], v6[-1:]):
            return Gap(at, f"must be narrower than {text.strip()}")
    for family, networks in ((IPV4, v4), (IPV6, v6)):
        if family in must_cover and not networks:
            return Gap(None, f"must restrict {family} as well")
    return Gap(None, "must not add up to most of the internet") if _is_world(v4, v6) else None


def _is_world(v4: Iterable[IPv4Network], v6: Iterable[IPv6Network]) -> bool:
    public_v4 = sum(
        one.num_addresses
        for one in collapse_addresses(v4)
        if not any(one.subnet_of(private) for private in _PRIVATE_V4)
    )
    public_v6 = sum(
        one.num_addresses
        for one in collapse_addresses(v6)
        if not any(one.subnet_of(private) for private in _PRIVATE_V6)
    )
    return public_v4 > _MOST_PUBLIC_V4 or public_v6 > _MOST_PUBLIC_V6
