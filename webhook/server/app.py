"""The hot path: an ASGI application that answers reviews, and nothing else.

A class that dispatches on the path itself: Starlette's routing and request objects would cost
more than the judging. The API server's ``?timeout=`` is not looked at: judging takes less than
a millisecond, and `Limits.in_flight` cuts a queue that could outlast it. Only a denial that a
right of the requester would lift waits, no longer than an `Access` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sized
from typing import Any, Protocol

from starlette.types import Receive, Scope, Send

from policies.model import Right, User
from webhook.admission import review
from webhook.admission.gate import Answers, Gate, Review
from webhook.admission.verdict import Verdict
from webhook.server.limits import Limits
from webhook.telemetry.recorder import Recorder

Headers = Mapping[bytes, bytes]

_JUDGES: dict[str, tuple[str, Callable[[Gate, Review], Verdict]]] = {
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


class Access(Protocol):
    """Knows which rights a user has; its answer comes within a second or two."""

    async def allowed(self, user: User, rights: Collection[Right]) -> Answers:
        """Without those rights for which no answer could be had."""


class Webhook:
    """Answers POST /validate and POST /mutate.

    access: None leaves every question of the gate unanswered.
    under_way: the requests that are not answered yet, the current one included.
    draining: true closes every connection after its next answer.
    """

    def __init__(
        self,
        gate: Gate,
        recorder: Recorder,
        *,
        access: Access | None = None,
        limits: Limits | None = None,
        under_way: Sized = (),
    ) -> None:
        self.draining = False
        self._gate = gate
        self._recorder = recorder
        self._access = access
        self._limits = limits or Limits()
        self._under_way = under_way
        self._buffered = 0

    def set_gate(self, gate: Gate) -> None:
        """Judge by another gate from the next review on."""
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        try:
            headers = self._checked(scope)
            body = await self._body(receive)
            answer = await self._answer(scope["path"], body, headers, started)
        except RefusedError as refused:
            await self._refuse(refused, receive, send)
        except _GoneError:
            return
        except Exception as error:
            self._recorder.failed(error, "")
            await self._refuse(_bad("internal", "the review could not be read"), receive, send)
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
        if len(self._under_way) > self._limits.in_flight:
            raise _overloaded()
        if int(headers.get(b"content-length", b"0")) > self._limits.body_bytes:
            raise self._too_large()
        return headers

    async def _body(self, receive: Receive) -> bytes:
        """The whole body. Most come in one piece; what the others take together is bounded."""
        message = await _next(receive)
        if not message["more_body"]:
            return bytes(message["body"])
        body = bytearray()
        try:
            while True:
                body += message["body"]
                self._buffered += len(message["body"])
                if len(body) > self._limits.body_bytes:
                    raise self._too_large()
                if self._buffered > self._limits.buffered_bytes:
                    raise _overloaded()
                if not message["more_body"]:
                    return bytes(body)
                message = await _next(receive)
        finally:
            self._buffered -= len(body)

    async def _answer(self, path: str, body: bytes, headers: Headers, started: float) -> bytes:
        """The AdmissionReview for a body. Raises RefusedError when there is no uid to answer."""
        webhook, judge = _JUDGES[path]
        try:
            asked = review.decode(body)
        except review.InvalidReviewError as error:
            return self._unreadable(error)
        try:
            given = review.to_review(asked)
            verdict = judge(self._gate, given)
            if verdict.questions:
                verdict = await self._judge_again(given, verdict, len(body))
            answer = review.encode(asked.uid, given.request, verdict)
        except Exception as error:  # whatever it is, the answer is no, and in time
            self._recorder.failed(error, asked.uid)
            return review.encode_refusal(
                review.InvalidReviewError("could not be judged: internal error", asked.uid)
            )
        self._recorder.reviewed(webhook, asked, verdict, started, headers.get(b"traceparent", b""))
        return answer

    async def _judge_again(self, given: Review, verdict: Verdict, size: int) -> Verdict:
        """With the answers to the verdict's questions, if it may wait for them."""
        if not self._access or self._buffered + size > self._limits.buffered_bytes:
            return verdict
        gate = self._gate  # the one that asked, also when another is set meanwhile
        self._buffered += size
        try:
            answers = await self._access.allowed(given.request.user, verdict.questions)
        finally:
            self._buffered -= size
        return gate.validate(given, answers)

    def _unreadable(self, error: review.InvalidReviewError) -> bytes:
        if not error.uid:
            raise _bad("review", str(error)) from None
        self._recorder.refused("review", str(error), error.uid)
        return review.encode_refusal(error)

    async def _refuse(self, refused: RefusedError, receive: Receive, send: Send) -> None:
        if refused.error == _OVERLOAD:
            self._recorder.shed()
        else:
            self._recorder.refused(refused.error, str(refused))
        body = f"netreeve: {refused}\n".encode()
        await send(self._start(refused.status, b"text/plain; charset=utf-8", body, refused.headers))
        if _CLOSE in refused.headers:
            # Closed while it sends, a peer would see a broken connection and no reason.
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await self._discard(receive)
            body = b""
        await send({"type": "http.response.body", "body": body})

    async def _discard(self, receive: Receive) -> None:
        """Read on for a while; the deadline of the connection ends it too."""
        most, more = 4 * self._limits.body_bytes, True
        while most > 0 and more:
            message = await receive()  # at its end, or when the peer is gone: without more_body
            most -= len(message.get("body", b""))
            more = message.get("more_body", False)

    def _start(
        self, status: int, kind: bytes, body: bytes, more: tuple[tuple[bytes, bytes], ...] = ()
    ) -> dict[str, Any]:
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *more]
        if self.draining and _CLOSE not in more:
            headers.append(_CLOSE)
        return {"type": "http.response.start", "status": status, "headers": headers}

    def _too_large(self) -> RefusedError:
        most = self._limits.body_bytes
        return RefusedError(413, "too-large", f"a review must not exceed {most} bytes", _CLOSE)


def _is_json(content_type: bytes) -> bool:
    return (
        content_type == b"application/json"
        or content_type.partition(b";")[0].strip().lower() == b"application/json"
    )


async def _next(receive: Receive) -> Mapping[str, Any]:
    message = await receive()
    if message["type"] != "http.request":
        raise _GoneError
    return message


def _bad(error: str, detail: str) -> RefusedError:
    return RefusedError(400, error, detail)


def _overloaded() -> RefusedError:
    """With Retry-After the API server asks again instead of failing its user (measured on 1.36);
    on a new connection, which probably leads to another replica."""
    detail = "too many reviews are under way; ask again"
    return RefusedError(503, _OVERLOAD, detail, (b"retry-after", b"1"), _CLOSE)
