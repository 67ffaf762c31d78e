"""What talks to a running server: reviews over HTTPS, and bytes as no honest client sends them."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from webhook.server.listen import Address

TIMEOUT = 10.0
UID = "7f0b2891-916f-4ed6-b7cd-27bff1815a8c"
JSON = {"Content-Type": "application/json"}

POD = {"metadata": {"name": "shop"}, "spec": {"containers": [{"name": "a"}]}}
HOST_NETWORK_POD = {**POD, "spec": {"hostNetwork": True, "containers": [{"name": "a"}]}}


class Answer(NamedTuple):
    """An HTTP answer; headers by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def review(self) -> dict[str, Any]:
        """The AdmissionResponse, of which the parts that the API server insists on are checked."""
        assert self.status == 200, self
        decoded: dict[str, Any] = json.loads(self.body)
        assert decoded["kind"] == "AdmissionReview"
        assert decoded["apiVersion"].startswith("admission.k8s.io/v1")
        response: dict[str, Any] = decoded["response"]
        assert ("patch" in response) == ("patchType" in response)
        return response


def review(obj: Any = POD, **request: Any) -> bytes:
    """An AdmissionReview of a Pod CREATE by a developer; fields of ``request`` replace."""
    return json.dumps({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": UID,
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "shop",
            "namespace": "dev",
            "operation": "CREATE",
            "userInfo": {"username": "jane"},
            "object": obj,
            "oldObject": None,
            "dryRun": False,
            **request,
        },
    }).encode()  # fmt: skip


def trust(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


class Client:
    """One keep-alive connection, opened anew when the server has closed it."""

    def __init__(self, address: Address, ca: Path | None = None) -> None:
        host, port = address
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=trust(ca))
            if ca
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        )

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = JSON,
        method: str = "",
    ) -> Answer:
        self._connection.request(
            method or ("GET" if body is None else "POST"), path, body, dict(headers)
        )
        return _answer(self._connection.getresponse())

    def close(self) -> None:
        self._connection.close()


@contextmanager
def connected(address: Address, ca: Path) -> Iterator[ssl.SSLSocket]:
    """A TLS connection to write bytes to."""
    with (
        socket.create_connection(address, TIMEOUT) as plain,
        trust(ca).wrap_socket(plain, server_hostname=address.host) as secure,
    ):
        yield secure


def read_answer(connection: ssl.SSLSocket) -> Answer:
    """The next answer on a connection, read no further than its end."""
    response = http.client.HTTPResponse(connection, method="POST")
    response.begin()
    return _answer(response)


def is_closed(connection: ssl.SSLSocket) -> bool:
    """Whether the server closes the connection, within the time-out and without another byte."""
    try:
        return connection.recv(1) == b""
    except (ConnectionError, ssl.SSLEOFError):
        return True


def head(length: int | None, *more: str, path: str = "/validate") -> bytes:
    """The head of a POST; length: None for a chunked body."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = (f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", size, *more)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def _answer(response: http.client.HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())
