"""Peers that are no API server, and streams that are cut anywhere."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.background import running
from tests.controlplane.wait import wait_for
from webhook.cluster import connection as connections
from webhook.cluster.cache import ClusterCache
from webhook.cluster.connection import Connection, lines
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.errors import ProtocolError

PATIENCE = 0.5


class Peer:
    """Accepts every connection and says one thing, if anything at all; `accepted` counts them."""

    def __init__(self, says: bytes) -> None:
        self.accepted = 0
        self._says = says
        self._kept: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):  # until it is closed
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                self._kept.append(client)
                client.sendall(self._says)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._kept:
            one.close()


@contextmanager
def peer(says: bytes) -> Iterator[Peer]:
    made = Peer(says)
    thread = threading.Thread(target=made.serve)
    thread.start()
    try:
        yield made
    finally:
        made.close()
        thread.join()


def kubeconfig(folder: Path, url: str) -> Kubeconfig:
    config = {
        "clusters": [{"name": "here", "cluster": {"server": url}}],
        "contexts": [{"name": "mine", "context": {"cluster": "here", "user": "me"}}],
        "users": [{"name": "me", "user": {}}],
        "current-context": "mine",
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return Kubeconfig(str(folder / "kubeconfig"))


def answer(status: str, body: bytes, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_peer_that_accepts_and_never_answers(tmp_path: Path, scheme: str) -> None:
    with peer(b"") as silent:
        url = f"{scheme}://{silent.url}"
        connection = Connection(kubeconfig(tmp_path, url), timeout=PATIENCE)
        cache = ClusterCache(connection)
        with running(connection, cache.run):
            wait_for(lambda: "no answer in time" in cache.nodes.failure, 5, "the end of patience")
            assert cache.nodes.failure == f"{url}/api/v1/nodes: no answer in time"
            wait_for(lambda: silent.accepted >= 6, 20, "new attempts of both reflectors")
            assert not cache.synced
            started = time.monotonic()
        assert time.monotonic() - started < 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("says", "failure"),
    [
        (b"SSH-2.0-OpenSSH_10.0\r\n", "not reachable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n{", "no answer in time"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "not reachable"),
        (answer("200 OK", b"<html>Please log in</html>", "text/html"), "malformed"),
        (answer("200 OK", b"{}"), "missing required field `metadata`"),
        (answer("200 OK", b'{"metadata": {}}'), "without resourceVersion"),
        (answer("200 OK", b'{"metadata": {"resourceVersion": "1"}, "items": [[]]}'), "Expected"),
        (answer("200 OK", b'{"metadata": {}, "more": ' + b"[" * 100_000), "recursion"),
        (answer("302 Found", b""), "302 Found"),
        (answer("404 Not Found", b"<html>no such page</html>"), "404 Not Found"),
        (answer("500 Oops", b'{"message": 7}'), "500 Oops"),
        (answer("503 Busy", b"\xff" * 100_000), "503 Busy"),
    ],
)
def test_a_peer_that_is_no_api_server(tmp_path: Path, says: bytes, failure: str) -> None:
    with peer(says) as stranger:
        url = f"http://{stranger.url}"
        connection = Connection(kubeconfig(tmp_path, url), timeout=PATIENCE)
        cache = ClusterCache(connection)
        with running(connection, cache.run):
            wait_for(lambda: failure in cache.nodes.failure, 5, f"{failure!r}")
            before = stranger.accepted
            wait_for(lambda: stranger.accepted > before, 10, "another attempt")
            assert not cache.synced


def joined(pieces: list[bytes]) -> list[bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def collect() -> list[bytes]:
        return [line async for line in lines(chunks())]

    return asyncio.run(collect())


@given(st.binary(max_size=60).map(lambda raw: raw.replace(b"a", b"\n")), st.data())
def test_lines_are_the_same_however_the_stream_is_cut(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    *whole, _unfinished = stream.split(b"\n")
    assert joined(pieces) == [line for line in whole if line]


def test_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LONGEST_LINE", 1000)
    assert joined([b"x" * 999, b"\n", b"y" * 999, b"\n"]) == [b"x" * 999, b"y" * 999]
    with pytest.raises(ProtocolError, match="more than 1000 bytes"):
        joined([b"x" * 600, b"x" * 600])
