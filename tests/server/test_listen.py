"""Addresses as people write them, and what is then listened on."""

from __future__ import annotations

import socket

import pytest

from webhook.server.listen import Address, AddressError, bind, bound, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":8443", Address("", 8443)),
        ("0.0.0.0:8443", Address("0.0.0.0", 8443)),
        ("[::]:8443", Address("::", 8443)),
        ("[::1]:0", Address("::1", 0)),
        ("localhost:10250", Address("localhost", 10250)),
    ],
)
def test_an_address_is_read_and_written_alike(text: str, address: Address) -> None:
    assert parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["", "8443", ":", ":x", ":65536", ":-1", ":\uff18\uff14", "::1:8443", "localhost", "[::1]"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse(text)


def reached(sock: socket.socket, host: str) -> bool:
    try:
        socket.create_connection((host, bound(sock).port), timeout=5).close()
    except OSError:
        return False
    return True


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


BOTH = {"127.0.0.1", "::1"} if _has_ipv6() else {"127.0.0.1"}
LISTENED = [
    (":0", BOTH),
    ("0.0.0.0:0", {"127.0.0.1"}),
    ("127.0.0.1:0", {"127.0.0.1"}),
    ("localhost:0", BOTH),
    *([("[::]:0", BOTH), ("[::1]:0", {"::1"})] if _has_ipv6() else []),
]


@pytest.mark.parametrize(("text", "hosts"), LISTENED)
def test_it_is_listened_where_asked(text: str, hosts: set[str]) -> None:
    with bind(parse(text)) as sock:
        found = {host for host in ("127.0.0.1", "::1") if reached(sock, host)}
    assert found
    assert found <= hosts
    if not text.startswith("localhost"):  # a name is one of its addresses
        assert found == hosts


def test_a_port_in_use_is_an_error() -> None:
    with bind(parse("127.0.0.1:0")) as sock, pytest.raises(OSError, match="in use"):
        bind(bound(sock))
