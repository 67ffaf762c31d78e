"""Addresses in every notation, and what is special about them."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.services.addresses import (
    METADATA,
    behind,
    inside,
    networks,
    parse,
    parse_network,
    parse_strict,
    special,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("10.258", "10.0.1.2"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0x", "0.0.0.0"),
        ("00000000177.1", "127.0.0.1"),
        (" 127.0.0.1 ", "127.0.0.1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("[::ffff:7f00:1]", "127.0.0.1"),
    ],
)
def test_every_notation_of_an_address_is_read(text: str, address: str) -> None:
    assert str(parse(text)) == address


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "example.com", "127.0.0.1.example.com", "1.2.3.4.5", "256.0.0.1", "1.2.3.256",
        "4294967296", "09.0.0.1", "1_0.0.0.1", "+1.0.0.1", "-1", "1.0.0.x", "0x7g", "::g", "[]",
        "\uff11.1.1.1", "1..1", "9" * 5000, "127.0.0.1\n.",
    ],
)  # fmt: skip
def test_other_text_is_no_address(text: str) -> None:
    assert parse(text) is None


@given(st.text("0123456789abcdefxX.", max_size=24))
@example("1.2.3.4")
@example("0x7f.1")
def test_whatever_the_c_library_reads_is_read_alike(text: str) -> None:
    """inet_aton of the platform; it also reads ``1.2.3.4 rest``, which no name contains."""
    try:
        expected = ipaddress.IPv4Address(socket.inet_aton(text))
    except OSError:
        return
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["127.1", "0177.0.0.1", "[::1]", "010.0.0.1", "0x7f000001", ""])
def test_strictly_only_the_canonical_notation_is_an_address(text: str) -> None:
    assert parse_strict(text) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("127.0.0.1", "a loopback address"),
        ("127.255.255.255", "a loopback address"),
        ("::1", "a loopback address"),
        ("0.0.0.0", "a loopback address"),
        ("::", "a loopback address"),
        ("::ffff:127.0.0.1", "a loopback address"),
        ("64:ff9b::7f00:1", "a loopback address"),
        ("169.254.169.254", "a link-local address"),
        ("fe80::1", "a link-local address"),
        ("100.100.100.200", "the metadata server of Alibaba Cloud"),
        ("fd00:ec2::254", "the metadata server of AWS"),
        ("128.0.0.1", None),
        ("169.253.255.255", None),
        ("100.100.100.201", None),
        ("fd00:ec2::253", None),
        ("8.8.8.8", None),
    ],
)
def test_special_addresses_are_told(text: str, what: str | None) -> None:
    address = parse_strict(text)
    assert address is not None
    assert special(address) == what


def test_every_metadata_address_of_the_table_is_special() -> None:
    for one in METADATA.addresses:
        assert special(ipaddress.ip_address(one.address)) == f"the metadata server of {one.cloud}"
        assert not ipaddress.ip_address(one.address).is_link_local, "needs no entry"


def test_behind_a_nat64_address_is_the_ipv4_one() -> None:
    assert str(behind(ipaddress.ip_address("64:ff9b::a00:4"))) == "10.0.0.4"
    assert str(behind(ipaddress.ip_address("64:ff9c::a00:4"))) == "64:ff9c::a00:4"


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        (" 10.0.0.0/8 ", "10.0.0.0/8"),
        ("192.168.32.1/24", "192.168.32.0/24"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::/0", "::/0"),
    ],
)
def test_networks_are_read_as_the_api_server_does(text: str, network: str) -> None:
    assert str(parse_network(text)) == network


@pytest.mark.parametrize("text", ["", "office", "10.0.0.0/33", "10.0.0/8", "010.0.0.0/8", "::/129"])
def test_other_text_is_no_network(text: str) -> None:
    assert parse_network(text) is None


def test_the_families_of_a_list_of_networks_stay_apart() -> None:
    found = networks(("0.0.0.0/0", "2001:db8::/32"))
    assert inside(ipaddress.ip_address("203.0.113.1"), found)
    assert inside(ipaddress.ip_address("2001:db8::1"), found)
    assert not inside(ipaddress.ip_address("2001:db9::1"), found)


@pytest.mark.parametrize("text", ["10.0.0.1", "10.0.0.0/33", "office"])
def test_a_parameter_that_is_no_network_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is no CIDR"):
        networks(("10.0.0.0/8", text))
