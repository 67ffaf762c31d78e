"""IP addresses as people and attackers write them, and what is special about one.

Pure functions on text and `ipaddress` objects.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import cache
from typing import TypeAlias

import msgspec

from policies.knowledge import load

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address is the last 32 bits
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


class MetadataAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address of a cloud's metadata server that is not link-local."""

    address: str
    cloud: str
    source: str


class MetadataName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A DNS name of a cloud's metadata server."""

    name: str
    cloud: str
    source: str


class MetadataServers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of policies/knowledge/metadata_servers.toml."""

    addresses: tuple[MetadataAddress, ...]
    names: tuple[MetadataName, ...]


METADATA = load("metadata_servers", MetadataServers)
_METADATA_ADDRESSES = {ipaddress.ip_address(one.address): one.cloud for one in METADATA.addresses}


def parse(text: str) -> Address | None:
    """An address in any notation a resolver understands, unwrapped; None if it is none.

    IPv6 in brackets and with a zone; IPv4 as inet_aton reads it: one to four parts, each decimal,
    octal (0...) or hexadecimal (0x...), the last one filling up (``127.1``, ``0x7f000001``).
    """
    text = text.strip().removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        return unwrap(ipaddress.ip_address(text))
    except ValueError:
        return _inet_aton(text)


def parse_strict(text: str) -> Address | None:
    """An address in canonical notation, unwrapped; None for anything else."""
    try:
        return unwrap(ipaddress.ip_address(text))
    except ValueError:
        return None


_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+", re.ASCII)


def _inet_aton(text: str) -> ipaddress.IPv4Address | None:
    parts = text.split(".")
    if len(parts) > 4 or not all(map(_NUMBER.fullmatch, parts)):
        return None
    try:
        *first, last = map(_number, parts)
    except ValueError:  # an octal number with an 8 or 9
        return None
    if any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        return None
    for position, number in enumerate(first):
        last += number << (8 * (3 - position))
    return ipaddress.IPv4Address(last)


def _number(digits: str) -> int:
    if digits[:2] in ("0x", "0X"):
        return int(digits[2:] or "0", 16)
    return int(digits, 8 if digits[0] == "0" else 10)


def unwrap(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped one is, else the address itself."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def behind(address: Address) -> Address:
    """The IPv4 address that a NAT64 gateway translates it to, else the address itself."""
    if isinstance(address, ipaddress.IPv6Address) and address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def special(address: Address) -> str | None:
    """What no Service should lead to: loopback, link-local, a metadata server; None otherwise."""
    address = behind(address)
    if address.is_loopback or address.is_unspecified:  # Linux connects 0.0.0.0 to itself
        return "a loopback address"
    if address in _METADATA_ADDRESSES:
        return f"the metadata server of {_METADATA_ADDRESSES[address]}"
    return "a link-local address" if address.is_link_local else None


def parse_network(text: str) -> Network | None:
    """A CIDR as the API server takes it: spaces around it, bits of the host; None if it is none.

    An IPv4-mapped network is an IPv4 network, as for Go's net package.
    """
    try:
        if ":" not in text:
            return ipaddress.IPv4Network(text.strip(), strict=False)
        network = ipaddress.IPv6Network(text.strip(), strict=False)
    except ValueError:
        return None
    if network.prefixlen >= _MAPPED.prefixlen and network.network_address in _MAPPED:
        base = ipaddress.IPv4Address(int(network.network_address) & 0xFFFFFFFF)
        return ipaddress.IPv4Network((base, network.prefixlen - 96))
    return network


@cache
def networks(cidrs: tuple[str, ...]) -> tuple[Network, ...]:
    """CIDRs of a parameter. Raises ValueError that names the first one that is none."""
    found = []
    for cidr in cidrs:
        network = parse_network(cidr) if "/" in cidr else None
        if network is None:
            raise ValueError(f"{cidr!r} is no CIDR such as 203.0.113.0/24 or 2001:db8::/32")
        found.append(network)
    return tuple(found)


def inside(address: Address, among: Iterable[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address in network for network in among)
