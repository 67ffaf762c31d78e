"""The hot path: an ASGI application that answers reviews, and nothing else.

A class that dispatches on the path itself: Starlette's routing and request objects would cost
more than the judging. The API server's ``?timeout=`` is not looked at: judging takes less than
a millisecond, and `Limits.in_flight` cuts a queue that could outlast it. Only a denial that a
right of the requester would lift waits, no longer than an `Access` does.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sized
from typing import Any, Protocol

from starlette.types import Receive, Scope, Send

from policies.model import Right, User
from webhook.admission import proof, review
from webhook.admission.gate import Gate, Review
from webhook.admission.ratchet import NO_ANSWERS, Answers
from webhook.admission.verdict import Verdict
from webhook.server.lane import SlowLane
from webhook.server.limits import Limits
from webhook.telemetry.recorder import Recorder

Headers = Mapping[bytes, bytes]

_Judge = Callable[[Gate, Review, Answers], Verdict]
_JUDGES: dict[str, tuple[str, _Judge]] = {
    "/validate": ("validate", Gate.validate),
    "/mutate": ("mutate", Gate.mutate),
}
_CLOSE = (b"connection", b"close")
_OVERLOAD = "overload"


class RefusedError(Exception):
    """A request that gets an HTTP error and no review.

    error: one of a fixed set of words, for metrics. headers: beyond type and length.
    """

    def __init__(self, status: int, error: str, detail: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(detail)
        self.status, self.error, self.headers = status, error, headers


class _GoneError(Exception):
    """The peer has closed the connection."""


class _Incoming:
    """The body of a request, piece by piece."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    def more(self) -> bool:
        """Whether there is more to come."""
        return self._more

    async def next(self) -> bytes:
        """Raises _GoneError. Must not be called once there is no more: it would wait for ever."""
        message = await self._receive()
        if message["type"] != "http.request":
            raise _GoneError
        self._more = message["more_body"]
        return bytes(message["body"])


class Access(Protocol):
    """Knows which rights a user has; its answer comes within a second or two."""

    async def allowed(self, user: User, rights: Collection[Right]) -> Answers:
        """Without those rights for which no answer could be had."""


class Webhook:
    """Answers POST /validate and POST /mutate.

    access: None leaves every question of the gate unanswered.
    knows: whether the cluster has been looked at; until then a review gets no verdict, since an
        API server may ask before this process is ready.
    clock: Unix time.
    answering: the requests that have come whole and are not answered yet, the current one included.
    draining: true closes every connection after its next answer.
    """

    def __init__(
        self,
        gate: Gate,
        recorder: Recorder,
        *,
        access: Access | None = None,
        knows: Callable[[], bool] = lambda: True,
        limits: Limits | None = None,
        answering: Sized = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.draining = False
        self._gate = gate
        self._recorder = recorder
        self._access = access
        self._knows = knows
        self._limits = limits or Limits()
        self._answering = answering
        self._clock = clock
        self._buffered = 0
        self._lane = SlowLane(self._limits.patience)

    def set_gate(self, gate: Gate) -> None:
        """Judge by another gate from the next review on."""
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        incoming = _Incoming(receive)
        try:
            headers = self._checked(scope)
            body = await incoming.next()
            if incoming.more():
                body = await self._body(body, incoming)
            # Not before: whoever is slow to send keeps nobody else from being answered.
            if len(self._answering) > self._limits.in_flight:
                raise _overloaded()
            if len(body) > self._limits.slow_bytes:
                await self._turn(len(body))
            answer = await self._answer(scope["path"], body, headers, started)
        except RefusedError as refused:
            await self._refuse(refused, incoming, send)
        except _GoneError:
            return
        except Exception as error:
            self._recorder.failed(error, "")
            await self._refuse(_bad("internal", "the review could not be read"), incoming, send)
        else:
            await send(self._start(200, b"application/json", answer))
            await send({"type": "http.response.body", "body": answer})

    def _checked(self, scope: Scope) -> Headers:
        """The headers of a request whose body is worth reading."""
        if scope["path"] not in _JUDGES:
            raise RefusedError(404, "path", "reviews are answered at /validate and /mutate")
        if scope["method"] != "POST":
            raise RefusedError(405, "method", "send reviews with POST", (b"allow", b"POST"))
        headers = dict(scope["headers"])
        if not _is_json(headers.get(b"content-type", b"")):
            raise RefusedError(415, "content-type", "Content-Type must be application/json")
        if b"content-encoding" in headers:
            raise RefusedError(415, "content-type", "Content-Encoding must not be set")
        if int(headers.get(b"content-length", b"0")) > self._limits.body_bytes:
            raise self._too_large()
        return headers

    async def _body(self, piece: bytes, incoming: _Incoming) -> bytes:
        """One that does not come in one piece, as most do; what they take together is bounded."""
        body = bytearray()
        try:
            while True:
                body += piece
                self._buffered += len(piece)
                if len(body) > self._limits.body_bytes:
                    raise self._too_large()
                if self._buffered > self._limits.buffered_bytes:
                    raise _overloaded()
                if not incoming.more():
                    return bytes(body)
                piece = await incoming.next()
        finally:
            self._buffered -= len(body)

    async def _turn(self, size: int) -> None:
        """When it is this review's; where too many wait, another replica may have less to do."""
        if self._buffered + size > self._limits.buffered_bytes:
            raise _overloaded()
        self._buffered += size
        try:
            await self._lane.turn()
        except TimeoutError:
            raise _overloaded() from None
        finally:
            self._buffered -= size

    async def _answer(self, path: str, body: bytes, headers: Headers, started: float) -> bytes:
        """The AdmissionReview for a body. Raises RefusedError when there is no uid to answer."""
        webhook, judge = _JUDGES[path]
        try:
            asked = review.decode(body)
        except review.InvalidReviewError as error:
            return self._unreadable(error)
        ours = asked.resource.group == proof.GROUP  # asked by ourselves, again and again
        if not (ours or self._knows()):
            raise _starting()
        try:
            given = review.to_review(asked, self._clock())
            verdict = judge(self._gate, given, NO_ANSWERS)
            if verdict.questions:
                verdict = await self._judge_again(judge, given, verdict, len(body))
            answer = review.encode(asked.uid, given.request, verdict)
        except Exception as error:  # whatever it is, the answer is no, and in time
            self._recorder.failed(error, asked.uid)
            return review.encode_refusal(
                review.InvalidReviewError("could not be judged: internal error", asked.uid)
            )
        if not ours:
            trace = headers.get(b"traceparent", b"")
            self._recorder.reviewed(webhook, asked, verdict, started, trace)
        return answer

    async def _judge_again(
        self, judge: _Judge, given: Review, verdict: Verdict, size: int
    ) -> Verdict:
        """With the answers, if it may wait for them."""
        if not self._access or self._buffered + size > self._limits.buffered_bytes:
            return verdict
        gate = self._gate  # the one that asked, also when another is set meanwhile
        self._buffered += size
        try:
            answers = await self._access.allowed(given.request.user, verdict.questions)
        finally:
            self._buffered -= size
        return judge(gate, given, answers)

    def _unreadable(self, error: review.InvalidReviewError) -> bytes:
        if not error.uid:
            raise _bad("review", str(error)) from None
        self._recorder.refused("review", str(error), error.uid)
        return review.encode_refusal(error)

    async def _refuse(self, refused: RefusedError, incoming: _Incoming, send: Send) -> None:
        """Answer, then close: a connection that stays open has asked for a review and got one."""
        if refused.error == _OVERLOAD:
            self._recorder.shed()
        else:
            self._recorder.refused(refused.error, str(refused))
        body = f"netreeve: {refused}\n".encode()
        headers = (*refused.headers, _CLOSE)
        await send(self._start(refused.status, b"text/plain; charset=utf-8", body, headers))
        # Closed while it sends, a peer would see a broken connection and no reason.
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await self._discard(incoming)
        await send({"type": "http.response.body", "body": b""})

    async def _discard(self, incoming: _Incoming) -> None:
        """Read on for a while; the deadline of the connection ends it too."""
        most = 4 * self._limits.body_bytes
        with contextlib.suppress(_GoneError):
            while most > 0 and incoming.more():
                most -= len(await incoming.next())

    def _start(
        self, status: int, kind: bytes, body: bytes, more: tuple[tuple[bytes, bytes], ...] = ()
    ) -> dict[str, Any]:
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *more]
        if self.draining and _CLOSE not in more:
            headers.append(_CLOSE)
        return {"type": "http.response.start", "status": status, "headers": headers}

    def _too_large(self) -> RefusedError:
        most = self._limits.body_bytes
        return RefusedError(413, "too-large", f"a review must not exceed {most} bytes")


def _is_json(content_type: bytes) -> bool:
    return (
        content_type == b"application/json"
        or content_type.partition(b";")[0].strip().lower() == b"application/json"
    )


def _bad(error: str, detail: str) -> RefusedError:
    return RefusedError(400, error, detail)


def _starting() -> RefusedError:
    """With Retry-After as under overload: another replica may know more, or we soon do."""
    detail = "this replica has just started and does not know the cluster yet; ask again"
    return RefusedError(503, "starting", detail, (b"retry-after", b"1"))


def _overloaded() -> RefusedError:
    """With Retry-After the API server asks again instead of failing its user (measured on 1.36);
    on a new connection, which probably leads to another replica."""
    detail = "too many reviews are under way; ask again"
    return RefusedError(503, _OVERLOAD, detail, (b"retry-after", b"1"))
