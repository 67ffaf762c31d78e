"""uvicorn's HTTP/1.1 connection with the limits it lacks: sizes, deadlines and a cap.

uvicorn 0.54 with httptools reads headers of any size, and waits for ever for a peer that sends
half a request or does not read its answer. Owns only what happens before and beside the
application; a complete request goes the way of the base class.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from enum import IntEnum
from http import HTTPStatus
from itertools import chain
from typing import NoReturn

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from webhook.server.limits import Limits
from webhook.telemetry.recorder import Recorder


class Rank(IntEnum):
    """How much is lost with a connection: those of the lowest rank make room for new ones."""

    UNPROVEN = 0  # it has got no answer that keeps it open
    IDLE = 1
    RECEIVING = 2  # a part of the next request has come


class Guard:
    """What the connections of one listener share.

    waiting: by rank, and in each of them longest first, the connections that wait for their peer,
        for its handshake to begin with. A new one displaces the first of them, so that no peer can
        keep others out by holding connections open.
    answering: the others, whose request has come whole and is not answered yet.

    There is no share for each address: behind a proxy such as konnectivity, all API servers of a
    cluster have the same one.
    """

    def __init__(self, limits: Limits, recorder: Recorder) -> None:
        self.limits = limits
        self.recorder = recorder
        self.waiting: tuple[dict[GuardedProtocol, None], ...] = tuple({} for _ in Rank)
        self.answering: set[GuardedProtocol] = set()
        self.displaced = 0

    @property
    def open(self) -> int:
        """How many there are."""
        return sum(map(len, self.waiting)) + len(self.answering)

    def admit(self, connection: GuardedProtocol, taken: socket.socket) -> bool:
        """Count a connection whose handshake has yet to come; False when there is no room."""
        if self.open >= self.limits.connections and not self.make_room():
            return False
        connection.taken = taken
        self.put(connection, Rank.UNPROVEN)
        return True

    def put(self, connection: GuardedProtocol, rank: Rank | None) -> None:
        """Count a connection among those of a rank, as the latest; None: it is being answered."""
        if rank is not None and connection in self.waiting[rank]:
            return
        self.remove(connection)
        if rank is None:
            self.answering.add(connection)
        else:
            self.waiting[rank][connection] = None

    def remove(self, connection: GuardedProtocol) -> None:
        """It is closed, or as good as that."""
        for one in self.waiting:
            one.pop(connection, None)
        self.answering.discard(connection)

    def make_room(self) -> bool:
        """Drop the connection that matters least; False when all are being answered."""
        self.displaced += 1
        least = next(chain.from_iterable(self.waiting), None)
        if least is None:
            return False
        self.remove(least)
        least.abort()
        return True


class _RefusedError(Exception):
    """Stops the parser; the answer has been written."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, config: Config, server_state: ServerState, guard: Guard) -> None:
        super().__init__(config, server_state, {})
        self._guard = guard
        self._limits = guard.limits
        self._in_head = False
        self._complete = True  # nothing has come of the next request
        self._refused = False
        self._proven = False  # an answer has kept the connection open, as no refusal does
        self._head = 0  # bytes of the head in earlier chunks
        self._chunk = 0  # bytes of the chunk that is being read
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self.taken: socket.socket | None = None
        """What it was accepted as, until its handshake is over."""

    def abort(self) -> None:
        """Drop it, at once."""
        if self.taken is None:
            self.transport.abort()
            return
        with contextlib.suppress(OSError):  # the peer was faster
            self.taken.shutdown(socket.SHUT_RDWR)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.taken = None
        self.timeout_keep_alive_task = self.loop.call_later(
            self._limits.idle, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._guard.remove(self)
        self._set_deadline(None)
        self._set_unread(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        at_start = self._complete or self._in_head
        self._complete, self._chunk = False, len(data)
        super().data_received(data)
        if self._complete or self._refused:
            return
        if self._in_head:
            # Of a chunk that began with the end of another request, we cannot tell our part.
            self._head += len(data) if at_start else 1
            if self._head > self._limits.head_bytes or self._too_many_headers():
                self._refuse_head()
                return
        if self._deadline is None:
            self._set_deadline(self.loop.call_later(self._limits.receive, self._too_slow))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._complete, self._head = True, False, 0
        self._guard.put(self, self._rank())

    def on_header(self, name: bytes, value: bytes) -> None:
        # Not by way of the base class: this is called ten times a request.
        if not self._in_head:
            self._stop(400, "http", "trailers after the body are not accepted")
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        # Measured only where it can be too large: it came in pieces, or with a large one.
        sizeable = self._head or self._chunk > self._limits.head_bytes
        if self._too_many_headers() or (sizeable and self._head_too_large()):
            self._refuse_head()
            raise _RefusedError
        if self.parser.should_upgrade():
            self._stop(400, "http", "no other protocol is spoken here: remove the Upgrade header")
        self._in_head = False
        super().on_headers_complete()
        if len(self.pipeline) > self._limits.pipelined:
            self._drop("too many requests were sent without waiting for an answer")

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._complete = True
        self._guard.put(self, self._rank())
        self._set_deadline(None)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        closing = self.transport.is_closing()  # which takes as long as the peer pleases
        self._proven = not closing
        self._guard.put(self, Rank.UNPROVEN if closing else self._rank())

    def send_400_response(self, msg: str) -> None:
        """What the base class calls when the parser raised."""
        self._refuse(400, "http", "this is no HTTP/1.1 request")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_unread(self.loop.call_later(self._limits.write, self.transport.abort))

    def resume_writing(self) -> None:
        super().resume_writing()
        self._set_unread(None)

    def _rank(self) -> Rank | None:
        """None while a request that has come whole is not answered."""
        cycle = self.cycle
        answered = cycle is None or cycle.response_complete
        if not answered and (self.pipeline or not cycle.more_body):
            return None
        if not self._proven:
            return Rank.UNPROVEN
        return Rank.IDLE if self._complete else Rank.RECEIVING

    def _head_too_large(self) -> bool:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        return size > self._limits.head_bytes

    def _too_many_headers(self) -> bool:
        return len(self.headers) > self._limits.headers

    def _refuse_head(self) -> None:
        most, lines = self._limits.head_bytes, self._limits.headers
        self._refuse(
            431,
            "head-too-large",
            f"the headers must not exceed {most} bytes, nor {lines} in number",
        )
        self.headers.clear()  # while the connection lingers

    def _too_slow(self) -> None:
        self._deadline = None
        cycle = self.cycle
        if not self._in_head and cycle is not None and cycle.response_started:
            self.transport.close()  # it was answered early and goes on sending
            return
        seconds = self._limits.receive
        self._refuse(408, "timeout", f"the request was not complete within {seconds:g} s")

    def _stop(self, status: int, error: str, detail: str) -> NoReturn:
        self._refuse(status, error, detail)
        raise _RefusedError

    def _drop(self, detail: str) -> NoReturn:
        """Without an answer, which could be taken for that of another request."""
        self._refused = True
        self._guard.recorder.refused("http", detail)
        self.pipeline.clear()
        self.transport.abort()
        raise _RefusedError

    def _refuse(self, status: int, error: str, detail: str) -> None:
        """Answer for the application, then close; a peer that is still sending gets to read it."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._guard.recorder.refused(error, detail)
        self._abandon()
        self.transport.write(_answer(status, detail))
        self._set_deadline(self.loop.call_later(self._limits.linger, self.transport.close))

    def _abandon(self) -> None:
        """The application is told that the peer is gone; requests that wait are not begun."""
        self.pipeline.clear()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _set_deadline(self, timer: asyncio.TimerHandle | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = timer

    def _set_unread(self, timer: asyncio.TimerHandle | None) -> None:
        if self._unread is not None:
            self._unread.cancel()
        self._unread = timer


def _answer(status: int, detail: str) -> bytes:
    body = f"netreeve: {detail}\n".encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        "content-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body
