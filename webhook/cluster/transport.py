"""How bytes get to the API server: sockets, TLS and proxies, as a session of aiohttp.

Knows no credentials beyond a client certificate and whom to act as, and nothing of requests.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from kubernetes.aio.client.rest import RESTClientObject
from yarl import URL

from webhook.cluster.credentials import Credentials

# A peer that is gone without a word is noticed within a minute, not at the end of the watch.
KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


def new_session(configuration: Credentials, proxied: bool) -> aiohttp.ClientSession:
    """Raises OSError or ValueError when the authority, certificate or key cannot be used."""
    return aiohttp.ClientSession(
        # The client library turns authorities, certificates and switches into a TLS context.
        connector=_Connector(RESTClientObject(configuration).ssl_context),
        headers=configuration.impersonated,
        cookie_jar=aiohttp.DummyCookieJar(),
        # Go as well asks no proxy for this machine itself.
        trust_env=proxied and not _loopback(configuration.host),
    )


class _Handler(ResponseHandler):
    """Leaves without a goodbye: only what nobody reads any more can be cut short by that.

    TLS would wait half a minute for the answer of a peer that is silent, and as long as it does
    uvloop cannot close its loop: the process would not end.
    """

    def close(self) -> None:
        self.abort()


class _Connector(aiohttp.TCPConnector):
    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(ssl=tls, limit=0, socket_factory=_socket)
        handler: type[ResponseHandler] = _Handler
        self._factory = partial(handler, loop=self._loop)


def _loopback(host: str) -> bool:
    name = URL(host).host or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE:
        if option := getattr(socket, name, None):  # Linux has them all, others some
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made
