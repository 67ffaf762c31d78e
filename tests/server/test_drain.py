"""Leaving: unready, still serving, every connection closed after its answer, then the end."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from tests.controlplane.wait import wait_for
from tests.server.clients import TIMEOUT, Client, connected, head, is_closed, read_answer, review
from tests.server.running import running
from webhook.server.limits import Limits

BODY = review()
LONG = 60.0


def test_a_draining_server_is_unready_and_answers_with_close(directory: Path) -> None:
    with running(directory, drain=LONG) as server, connected(server.reviews, server.ca) as kept:
        kept.sendall(head(len(BODY)) + BODY)
        assert "connection" not in read_answer(kept).headers
        server.stop()
        probe = Client(server.health)
        wait_for(lambda: probe.ask("/readyz").status == 503, TIMEOUT, "the server to be unready")
        assert b"shutting down" in probe.ask("/readyz").body
        assert probe.ask("/livez").status == 200
        probe.close()
        kept.sendall(head(len(BODY)) + BODY)
        answer = read_answer(kept)
        assert answer.review["allowed"] is True
        assert answer.headers["connection"] == "close"
        assert is_closed(kept)
        with connected(server.reviews, server.ca) as new:
            new.sendall(head(len(BODY)) + BODY)
            assert read_answer(new).headers["connection"] == "close"
            assert is_closed(new)
        with connected(server.reviews, server.ca) as refused:
            refused.sendall(head(2) + b"{}")
            assert read_answer(refused).headers["connection"] == "close"
            assert is_closed(refused)


def test_after_the_drain_it_ends_by_itself(directory: Path) -> None:
    limits = Limits(shutdown=0.3)
    with (
        running(directory, drain=0.2, limits=limits) as server,
        connected(server.reviews, server.ca) as idle,
    ):
        idle.sendall(head(len(BODY)) + BODY)
        assert read_answer(idle).status == 200
        started = time.monotonic()
        server.stop()
        server.thread.join(TIMEOUT)
        assert not server.thread.is_alive()
        assert time.monotonic() - started >= 0.2
        assert is_closed(idle)
        with pytest.raises(ConnectionError), connected(server.reviews, server.ca):
            pass


def test_a_second_request_to_stop_ends_the_drain(directory: Path) -> None:
    with running(directory, drain=LONG) as server:
        server.stop()
        server.stop()
        server.thread.join(TIMEOUT)
        assert not server.thread.is_alive()


def test_a_review_under_way_is_answered_before_the_end(directory: Path) -> None:
    with running(directory) as server, connected(server.reviews, server.ca) as slow:
        slow.sendall(head(len(BODY)) + BODY[:-1])
        wait_for(lambda: server.listener.server_state.tasks, TIMEOUT, "the review to begin")
        server.stop()
        wait_for(lambda: server.listener.should_exit, TIMEOUT, "the end to begin")
        slow.sendall(BODY[-1:])
        answer = read_answer(slow)
        assert answer.review["allowed"] is True
        assert answer.headers["connection"] == "close"


def test_peers_that_do_not_finish_do_not_keep_it_alive(directory: Path) -> None:
    limits = Limits(receive=0.3, shutdown=0.3, linger=0.1)
    with (
        running(directory, limits=limits) as server,
        connected(server.reviews, server.ca) as slow,
    ):
        slow.sendall(head(10))
        wait_for(lambda: server.listener.server_state.tasks, TIMEOUT, "the review to begin")
        server.stop()
        server.thread.join(TIMEOUT)
        assert not server.thread.is_alive()


def test_a_kept_connection_is_left_to_its_peer(directory: Path) -> None:
    """Were it closed, a review that is on its way at that moment would be lost."""
    with (
        running(directory, drain=0.1, linger=LONG) as server,
        connected(server.reviews, server.ca) as kept,
        connected(server.reviews, server.ca) as idle,
        connected(server.reviews, server.ca),  # nothing was ever asked by it
    ):
        for one in (kept, idle):
            one.sendall(head(len(BODY)) + BODY)
            assert read_answer(one).status == 200
        server.stop()
        wait_for(lambda: refuses(server.reviews), TIMEOUT, "it to take no more connections")
        kept.sendall(head(len(BODY)) + BODY)
        assert read_answer(kept).headers["connection"] == "close"
        assert is_closed(kept)
        assert server.thread.is_alive()
        idle.close()
        server.thread.join(TIMEOUT)
        assert not server.thread.is_alive()


def test_a_peer_that_never_goes_is_not_waited_for_longer(directory: Path) -> None:
    with (
        running(directory, linger=0.3, limits=Limits(shutdown=0.3)) as server,
        connected(server.reviews, server.ca) as held,
    ):
        held.sendall(head(len(BODY)) + BODY)
        assert read_answer(held).status == 200
        started = time.monotonic()
        server.stop()
        server.thread.join(TIMEOUT)
        assert time.monotonic() - started >= 0.3
        assert is_closed(held)


def test_a_second_request_to_stop_ends_the_wait(directory: Path) -> None:
    with (
        running(directory, linger=LONG, limits=Limits(shutdown=0.3)) as server,
        connected(server.reviews, server.ca) as held,
    ):
        held.sendall(head(len(BODY)) + BODY)
        assert read_answer(held).status == 200
        server.stop()
        wait_for(lambda: refuses(server.reviews), TIMEOUT, "it to take no more connections")
        server.stop()
        server.thread.join(TIMEOUT)
        assert not server.thread.is_alive()


def refuses(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, TIMEOUT):
            return False
    except ConnectionRefusedError:
        return True
