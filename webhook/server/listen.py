"""Where to listen: addresses as people write them, and sockets bound to them."""

from __future__ import annotations

import socket
from typing import NamedTuple

BACKLOG = 2048


class AddressError(ValueError):
    """Text that is no ``HOST:PORT``."""


class Address(NamedTuple):
    """host: "" for every address of both families; an IPv6 address without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Address:
    """``:8443``, ``0.0.0.0:8443``, ``[::1]:8443`` or ``localhost:8443``. Raises AddressError."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise AddressError(f"{text!r} must end in a colon and a port, like :8443")
    if ":" in host and not bracketed:
        raise AddressError(f"{text!r}: write an IPv6 address in brackets, like [::1]:8443")
    return Address(host[1:-1] if bracketed else host, int(port))


def bind(address: Address) -> socket.socket:
    """A listening socket. Raises OSError.

    No host and ``::`` mean IPv4 and IPv6, as in Go; asyncio would take ``::`` for IPv6 alone.
    A node without IPv6 gets no host as IPv4.
    """
    host, port = address
    if host in ("", "::") and socket.has_dualstack_ipv6():
        try:
            return socket.create_server(
                ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
            )
        except OSError:
            if host:
                raise  # asked for; with no host, IPv6 may be switched off for this node
    found = socket.getaddrinfo(
        host or "0.0.0.0",  # noqa: S104 - every address is what was asked for
        port,
        type=socket.SOCK_STREAM,
        flags=socket.AI_PASSIVE,
    )
    family, _, _, _, sockaddr = found[0]
    return socket.create_server(sockaddr[:2], family=family, backlog=BACKLOG)


def bound(sock: socket.socket) -> Address:
    """Where a socket listens, with the port the system chose for port 0."""
    host, port = sock.getsockname()[:2]
    return Address(host, port)
