"""Who keeps a connection when there are too many, and who gets the place of another."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from tests.controlplane.wait import wait_for
from tests.server.clients import TIMEOUT, Client, connected, head, is_closed, read_answer, review
from tests.server.running import Running, running
from tests.server.unhurried import ASKING, Unhurried
from webhook.server.limits import Limits
from webhook.server.protocol import Rank

BODY = review()


def test_silent_connections_make_room_for_new_ones(directory: Path) -> None:
    limits = Limits(connections=4)
    with running(directory, limits=limits) as server, contextlib.ExitStack() as stack:
        busy = Client(server.reviews, server.ca)
        assert busy.ask("/validate", BODY).status == 200
        silent = [stack.enter_context(connected(server.reviews, server.ca)) for _ in range(3)]
        newest = Client(server.reviews, server.ca)
        assert newest.ask("/validate", BODY).status == 200
        assert is_closed(silent[0])
        assert busy.ask("/validate", BODY).status == 200
        busy.close()
        newest.close()


def test_peers_that_shake_no_hands_make_room_for_new_ones(directory: Path) -> None:
    """They cost a descriptor and 55 KB each, and can be had for nothing."""
    with (
        running(directory, limits=Limits(connections=4)) as server,
        contextlib.ExitStack() as stack,
    ):
        busy = Client(server.reviews, server.ca)
        assert busy.ask("/validate", BODY).status == 200
        silent = [
            stack.enter_context(socket.create_connection(server.reviews, TIMEOUT))
            for _ in range(12)
        ]
        for one in silent[2::3]:
            one.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        for one in silent[:9]:
            assert is_dropped(one)
        wait_for(lambda: server.listener.guard.open == 4, TIMEOUT, "the last ones to be in")
        newest = Client(server.reviews, server.ca)
        assert newest.ask("/validate", BODY).status == 200
        assert busy.ask("/validate", BODY).status == 200
        busy.close()
        newest.close()


def is_dropped(plain: socket.socket) -> bool:
    """With a goodbye or without."""
    try:
        return plain.recv(1) == b""
    except ConnectionResetError:
        return True


def test_answers_that_are_no_review_win_no_place(directory: Path) -> None:
    """One peer that needs no credentials could otherwise lock the API server out."""
    with (
        running(directory, limits=Limits(connections=4)) as server,
        contextlib.ExitStack() as stack,
    ):
        for path in ("/nowhere", "/validate") * 4:
            connection = stack.enter_context(connected(server.reviews, server.ca))
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert read_answer(connection).headers["connection"] == "close"
            assert is_closed(connection)
        client = Client(server.reviews, server.ca)
        assert client.ask("/validate", BODY).status == 200
        client.close()


def test_a_new_connection_gets_the_place_of_the_one_idle_for_longest(directory: Path) -> None:
    with (
        running(directory, limits=Limits(connections=3)) as server,
        contextlib.ExitStack() as stack,
    ):
        idle = [stack.enter_context(connected(server.reviews, server.ca)) for _ in range(3)]
        for connection in (*idle, idle[0]):
            connection.sendall(head(len(BODY)) + BODY)
            assert read_answer(connection).status == 200
        newest = Client(server.reviews, server.ca)
        assert newest.ask("/validate", BODY).status == 200
        assert is_closed(idle[1])
        for connection in (idle[0], idle[2]):
            connection.sendall(head(len(BODY)) + BODY)
            assert read_answer(connection).status == 200
        newest.close()


def test_requests_that_never_end_win_no_place(directory: Path) -> None:
    """Nor do they after an answer; but whoever only waits goes before who is sending."""
    with (
        running(directory, limits=Limits(connections=2)) as server,
        contextlib.ExitStack() as stack,
    ):
        proven = [stack.enter_context(connected(server.reviews, server.ca)) for _ in range(2)]
        for connection in proven:
            connection.sendall(head(len(BODY)) + BODY)
            assert read_answer(connection).status == 200
        proven[0].sendall(head(10))
        _ranked(server, Rank.RECEIVING, 1)
        second = stack.enter_context(connected(server.reviews, server.ca))
        second.sendall(head(len(BODY)) + BODY)
        assert read_answer(second).status == 200
        assert is_closed(proven[1])
        second.sendall(head(10))
        _ranked(server, Rank.RECEIVING, 2)
        third = stack.enter_context(connected(server.reviews, server.ca))
        third.sendall(head(len(BODY)) + BODY)
        assert read_answer(third).status == 200
        assert is_closed(proven[0])


def _ranked(server: Running, rank: Rank, count: int) -> None:
    waiting = server.listener.guard.waiting[rank]
    wait_for(lambda: len(waiting) == count, TIMEOUT, f"{count} connections of rank {rank.name}")


def test_a_connection_is_not_displaced_while_its_request_is_answered(directory: Path) -> None:
    access = Unhurried()
    with (
        running(directory, limits=Limits(connections=1), access=access) as server,
        contextlib.ExitStack() as stack,
    ):
        kept = stack.enter_context(connected(server.reviews, server.ca))
        kept.sendall(head(len(ASKING)) + ASKING)
        assert access.asked.wait(TIMEOUT)
        refused = stack.enter_context(socket.create_connection(server.reviews, TIMEOUT))
        assert is_dropped(refused)
        server.loop.call_soon_threadsafe(access.answer.set)
        assert not read_answer(kept).review["allowed"]
