"""Whether a user has a right: asked of the API server by SubjectAccessReview, remembered briefly.

Needs create on subjectaccessreviews (authorization.k8s.io). Decides nothing.

Where the API server gives no answer in time there is none, which the gate takes for no. A user who
sends thousands of denied requests must not load the API server with them: the same question is
asked once in ten seconds, only a few are asked at a time, the number of reviews that wait is
limited, and after a failure nothing is asked for a while. The limit for each user keeps one from
using up what others need.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from typing import NamedTuple

import msgspec

from policies.model import Right, User
from webhook.cluster.connection import Connection
from webhook.cluster.errors import ClusterError, ProtocolError, RefusedError

GROUP, RESOURCE, VERB = "netreeve.io", "policies", "exempt"
PATH = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
SECONDS = 1.0
REMEMBER_SECONDS = 10.0
REMEMBERED = 4096
PAUSE_SECONDS, LONGEST_PAUSE = 1.0, 30.0
"""After a failure nothing is asked for this long; longer when the API server asks for it."""
AT_ONCE = 8
MOST_WAITING, MOST_OF_ONE_USER = 512, 64
"""Reviews that wait for answers."""
LONGEST_USER = 512 * 1024
"""Bytes of JSON. Nobody has so many groups; the API server would refuse six times as much."""
log = logging.getLogger(__name__)


class _Status(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _Status


_REVIEW = msgspec.json.Decoder(_Review)


class _Question(NamedTuple):
    user: bytes
    right: Right


class _Answer(NamedTuple):
    allowed: bool
    until: float


class Access:
    """For one event loop. seconds: how long a review waits for all its answers."""

    def __init__(
        self,
        connection: Connection,
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.asked = 0
        """Requests that were sent, since the start."""
        self.unanswered = 0
        """Rights that a review had to do without, since the start."""
        self.failure = ""
        """Why the last request failed, "" when it did not."""
        self._connection = connection
        self._seconds = seconds
        self._clock = clock
        self._answers: OrderedDict[_Question, _Answer] = OrderedDict()
        self._asking: dict[_Question, asyncio.Task[bool | None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting: Counter[str] = Counter()
        self._pause_until = -math.inf

    async def allowed(self, user: User, rights: Collection[Right]) -> dict[Right, bool]:
        """Which of the rights the user has; without those for which there is no answer in time."""
        description = msgspec.json.encode(user)
        identity = hashlib.sha256(description).digest()
        questions = [_Question(identity, right) for right in rights]
        answers = {one.right: known for one in questions if (known := self._known(one)) is not None}
        missing = [one for one in questions if one.right not in answers]
        if missing and len(description) <= LONGEST_USER and self._may_wait(user):
            answers |= await self._wait(user, missing)
        self.unanswered += len(questions) - len(answers)
        return answers

    def _known(self, question: _Question) -> bool | None:
        answer = self._answers.get(question)
        return answer.allowed if answer and self._clock() < answer.until else None

    def _may_wait(self, user: User) -> bool:
        """Not for a user without name and groups, about whom the API server cannot be asked."""
        return (
            bool(user.username or user.groups)
            and not self._paused
            and self._waiting[user.username] < MOST_OF_ONE_USER
            and self._waiting.total() < MOST_WAITING
        )

    @property
    def _paused(self) -> bool:
        return self._clock() < self._pause_until

    async def _wait(self, user: User, questions: list[_Question]) -> dict[Right, bool]:
        tasks = {one.right: self._task(user, one) for one in questions}
        self._waiting[user.username] += 1
        try:
            await asyncio.wait(tasks.values(), timeout=self._seconds)
        finally:
            self._waiting[user.username] -= 1
            if not self._waiting[user.username]:
                del self._waiting[user.username]
        return {
            right: answer
            for right, task in tasks.items()
            if task.done() and not task.cancelled() and (answer := task.result()) is not None
        }

    def _task(self, user: User, question: _Question) -> asyncio.Task[bool | None]:
        """It outlives those who wait for it, so that whoever tries again finds the answer."""
        task = self._asking.get(question)
        if task is None:
            task = self._asking[question] = asyncio.create_task(self._ask(user, question))
            task.add_done_callback(lambda _: self._asking.pop(question))
        return task

    async def _ask(self, user: User, question: _Question) -> bool | None:
        latest = self._clock() + self._seconds
        async with self._slots:
            if self._paused or self._clock() >= latest:
                return None
            try:
                allowed = await self._review(user, question.right)
            except ClusterError as error:
                self._failed(error)
                return None
        self.failure = ""
        self._answers[question] = _Answer(allowed, self._clock() + REMEMBER_SECONDS)
        self._answers.move_to_end(question)
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        return allowed

    async def _review(self, user: User, right: Right) -> bool:
        attributes = {
            "group": GROUP,
            "resource": RESOURCE,
            "verb": VERB,
            "name": right.name,
            "namespace": right.namespace,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user.username,
                "uid": user.uid,
                "groups": user.groups,
                "extra": user.extra,
                "resourceAttributes": attributes,
            },
        }
        self.asked += 1
        body = msgspec.json.encode(review)
        answer = await self._connection.write("POST", PATH, body, seconds=self._seconds)
        try:
            return _REVIEW.decode(answer).status.allowed
        except msgspec.DecodeError as error:
            raise ProtocolError(f"{PATH}: not what an API server answers: {error}") from error

    def _failed(self, error: ClusterError) -> None:
        pause = PAUSE_SECONDS
        if isinstance(error, RefusedError):
            pause = max(pause, min(error.retry_after, LONGEST_PAUSE))
        self._pause_until = self._clock() + pause
        if not self.failure:
            log.warning("%s; until it can be asked again, nobody is exempt", error)
        self.failure = str(error)
