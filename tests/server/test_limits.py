"""What one peer may take: time, connections, and memory for what it has not finished sending."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.wait import wait_for
from tests.server.clients import (
    HOST_NETWORK_POD,
    TIMEOUT,
    Client,
    connected,
    head,
    is_closed,
    read_answer,
    review,
)
from tests.server.running import Running, running
from tests.server.unhurried import ASKING, Unhurried
from webhook.server.limits import Limits

SHORT = Limits(
    receive=0.3, write=0.3, linger=0.05, handshake=0.3, shutdown=0.3, idle=0.5, pipelined=10_000
)
BODY = review()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with no patience."""
    with running(tmp_path_factory.mktemp("hasty"), limits=SHORT) as server:
        yield server


def test_a_silent_connection_is_closed_when_idle_for_too_long(hasty: Running) -> None:
    with connected(hasty.reviews, hasty.ca) as connection:
        assert is_closed(connection)


def test_a_connection_is_closed_when_idle_after_an_answer(hasty: Running) -> None:
    with connected(hasty.reviews, hasty.ca) as connection:
        connection.sendall(head(len(BODY)) + BODY)
        assert read_answer(connection).status == 200
        assert is_closed(connection)


def test_a_peer_without_a_handshake_is_dropped(hasty: Running) -> None:
    with socket.create_connection(hasty.reviews, TIMEOUT) as connection:
        assert connection.recv(1) == b""


def test_plain_http_on_the_tls_port_is_dropped(hasty: Running) -> None:
    with socket.create_connection(hasty.reviews, TIMEOUT) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        received = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(1024):
                received += part
    assert b"HTTP" not in received, "nothing but an alert of TLS"


@pytest.mark.parametrize(
    "part",
    [
        b"P",
        b"\r\n",
        head(10)[:-2],
        head(10),
        head(10) + b"123456789",
        head(None),
        head(None) + b"5\r\n123",
        head(None) + b"5\r\n12345\r\n",
    ],
)
def test_a_request_that_stays_incomplete_times_out(hasty: Running, part: bytes) -> None:
    with connected(hasty.reviews, hasty.ca) as connection:
        connection.sendall(part)
        answer = read_answer(connection)
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert b"within 0.3 s" in answer.body
        assert is_closed(connection)


def test_the_second_request_has_a_deadline_too(hasty: Running) -> None:
    with connected(hasty.reviews, hasty.ca) as connection:
        connection.sendall(head(len(BODY)) + BODY)
        assert read_answer(connection).status == 200
        connection.sendall(head(10) + b"1")
        assert read_answer(connection).status == 408


def _drip(connection: socket.socket, pieces: Iterator[bytes]) -> None:
    """Send a piece every 50 ms until the server has had enough."""

    def refused() -> bool:
        try:
            connection.sendall(next(pieces))
        except (ConnectionError, OSError):
            return True
        return False

    connection.settimeout(0.03)
    try:
        wait_for(lambda: _readable(connection) or refused(), TIMEOUT, "the server to give up")
    finally:
        connection.settimeout(TIMEOUT)


def _readable(connection: socket.socket) -> bool:
    peeked, _, _ = select.select([connection], [], [], 0)
    return bool(peeked)


def test_one_header_at_a_time_is_no_way_to_stay(hasty: Running) -> None:
    with connected(hasty.reviews, hasty.ca) as connection:
        connection.sendall(head(10)[:-2])
        _drip(connection, iter(lambda: b"X: y\r\n", b""))
        assert read_answer(connection).status == 408


def test_one_byte_of_the_body_at_a_time_is_no_way_to_stay(hasty: Running) -> None:
    with connected(hasty.reviews, hasty.ca) as connection:
        connection.sendall(head(1_000_000))
        _drip(connection, iter(lambda: b"x", b""))
        assert read_answer(connection).status == 408


def test_an_endless_body_where_nothing_is_read_is_cut_off(hasty: Running) -> None:
    with connected(hasty.reviews, hasty.ca) as connection:
        connection.sendall(head(1_000_000, path="/nowhere"))
        assert read_answer(connection).status == 404
        connection.sendall(b"x")
        assert is_closed(connection)


def test_an_endless_body_that_was_refused_is_cut_off(hasty: Running) -> None:
    with connected(hasty.reviews, hasty.ca) as connection:
        connection.sendall(head(100_000_000))
        assert read_answer(connection).status == 413
        connection.sendall(b"x" * 100)
        assert is_closed(connection)


def test_a_peer_that_reads_no_answers_is_dropped(hasty: Running) -> None:
    body = review(HOST_NETWORK_POD, name="n" * 10_000)
    request = head(len(body)) + body
    with connected(hasty.reviews, hasty.ca) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.5)
        with pytest.raises((TimeoutError, ConnectionError)):
            connection.sendall(request * 5_000)
        state = hasty.listener.server_state
        wait_for(lambda: not state.connections, TIMEOUT, "the connection to end")
        wait_for(lambda: not state.tasks, TIMEOUT, "its requests to end")


def test_requests_that_wait_for_no_answer_are_few(directory: Path) -> None:
    """Sixty peers with all that a chunk can hold took a server to 1.5 GB."""
    with (
        running(directory, limits=Limits(pipelined=3)) as server,
        connected(server.reviews, server.ca) as connection,
    ):
        request = head(len(BODY)) + BODY
        connection.sendall(request * 4)
        assert [read_answer(connection).status for _ in range(4)] == [200] * 4
        connection.sendall(request * 5)
        assert is_closed(connection)
        server.logged(
            error="http", detail="too many requests were sent without waiting for an answer"
        )


def test_slow_peers_do_not_keep_others_waiting(directory: Path) -> None:
    with running(directory) as server, contextlib.ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(connected(server.reviews, server.ca))
            connection.sendall(head(10) + b"1")
        client = Client(server.reviews, server.ca)
        assert client.ask("/validate", BODY).status == 200
        client.close()


def test_overload_is_told_so_that_the_api_server_asks_again(directory: Path) -> None:
    access = Unhurried()
    with running(directory, limits=Limits(in_flight=3), access=access) as server:
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                waiting = stack.enter_context(connected(server.reviews, server.ca))
                waiting.sendall(head(len(ASKING)) + ASKING)
            wait_for(lambda: len(server.listener.guard.answering) == 3, TIMEOUT, "three requests")
            client = Client(server.reviews, server.ca)
            answer = client.ask("/validate", BODY)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.headers["connection"] == "close"
            server.loop.call_soon_threadsafe(access.answer.set)
            wait_for(lambda: not server.listener.guard.answering, TIMEOUT, "them to be answered")
        assert client.ask("/validate", BODY).status == 200
        client.close()
        assert b"netreeve_admission_shed_total 1.0" in server.metrics.render()[0]


def test_who_does_not_finish_a_request_keeps_nobody_from_an_answer(directory: Path) -> None:
    with (
        running(directory, limits=Limits(in_flight=3, linger=0.05)) as server,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(10):
            unfinished = stack.enter_context(connected(server.reviews, server.ca))
            unfinished.sendall(head(10))
        wait_for(lambda: len(server.listener.server_state.tasks) == 10, TIMEOUT, "ten requests")
        client = Client(server.reviews, server.ca)
        assert client.ask("/validate", BODY).status == 200
        client.close()


def test_unfinished_bodies_take_a_bounded_memory_together(directory: Path) -> None:
    size = 400_000
    with running(directory, limits=Limits(buffered_bytes=1_000_000)) as server:
        with contextlib.ExitStack() as stack:
            unfinished = [
                stack.enter_context(connected(server.reviews, server.ca)) for _ in range(3)
            ]
            for connection in unfinished:
                connection.sendall(head(size + 1) + b" " * size)
            wait_for(
                lambda: b"netreeve_admission_shed_total 1.0" in server.metrics.render()[0],
                TIMEOUT,
                "one of them to be sent away",
            )
            for connection in unfinished:
                connection.sendall(b" ")
            assert sorted(read_answer(one).status for one in unfinished) == [400, 400, 503]
        client = Client(server.reviews, server.ca)
        assert client.ask("/validate", BODY + b" " * 900_000).status == 200
        client.close()


def test_a_peer_that_leaves_in_the_middle_leaves_nothing(hasty: Running) -> None:
    for part in (head(10)[:20], head(10), head(10) + b"1", head(None) + b"5\r\n"):
        with connected(hasty.reviews, hasty.ca) as connection:
            connection.sendall(part)
    state, guard = hasty.listener.server_state, hasty.listener.guard

    def gone() -> bool:
        return not (state.connections or state.tasks or any(guard.waiting))

    wait_for(gone, TIMEOUT, "them to be gone")
