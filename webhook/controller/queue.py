"""Keys that wait for work: each once, one worker a key, and later and later after failures.

Level-triggered: a key says that something may have to be done, never what. Keys that something
has happened to go before those that are looked at because everything is.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import random
from collections.abc import Awaitable, Callable

from webhook.cluster.errors import ClusterError, RefusedError

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
LONGEST_RETRY_AFTER = 60.0

Work = Callable[[str], Awaitable[None]]
log = logging.getLogger(__name__)


class WorkQueue:
    """Use in one event loop; keys may be added at any time, also while nobody works.

    first_pause: seconds after a first failure, at most; twice as long after every further one.
    """

    def __init__(self, *, first_pause: float = FIRST_PAUSE) -> None:
        self._first_pause = first_pause
        self.retries = 0
        """How often a key failed, since the start."""
        self._order: asyncio.PriorityQueue[tuple[bool, int, str]] = asyncio.PriorityQueue()
        """Patient or not, a number that keeps the order, and the key; outdated where the key
        does not wait, or has become impatient."""
        self._numbers = itertools.count()
        self._waiting: dict[str, bool] = {}
        """Whether they are patient."""
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._closed_until = -math.inf

    def __len__(self) -> int:
        """Keys that wait for a worker, without those that wait for their time."""
        return len(self._waiting) + len(self._again)

    def add(self, key: str, *, patient: bool = False) -> None:
        """Have the key worked on soon, once; after the present work on it, if there is any.

        patient: after all that are not.
        """
        if key in self._busy:
            self._again.add(key)
        elif (before := self._waiting.get(key)) is None or (before and not patient):
            self._cancel(key)
            self._waiting[key] = patient
            self._order.put_nowait((patient, next(self._numbers), key))

    def add_later(self, key: str, seconds: float) -> None:
        """Have it worked on in so many seconds, if it is not before."""
        self._cancel(key)
        self._later[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    def failures(self, key: str) -> int:
        """How often in a row."""
        return self._failures.get(key, 0)

    def clear(self) -> None:
        """Forget every key; for when nobody works."""
        for key in tuple(self._later):
            self._cancel(key)
        self._order = asyncio.PriorityQueue()
        self._waiting.clear()
        self._again.clear()
        self._failures.clear()

    async def run(self, work: Work, workers: int) -> None:
        """Work on the keys until cancelled; what `work` raises is a reason to try again."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work(work))

    async def _work(self, work: Work) -> None:
        while True:
            patient, _, key = await self._order.get()
            if self._waiting.get(key) is not patient:
                continue
            del self._waiting[key]
            self._busy.add(key)
            try:
                await self._opening()
                await work(key)
                self._failures.pop(key, None)
            except Exception as error:  # a worker that dies would leave its keys alone
                self._retry(key, error)
            finally:
                self._busy.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)
            # Work that found nothing to do has not let go of the event loop.
            await asyncio.sleep(0)

    async def _opening(self) -> None:
        """Wait as long as the API server has asked us all to."""
        loop = asyncio.get_running_loop()
        while (left := self._closed_until - loop.time()) > 0:
            await asyncio.sleep(left)

    def _retry(self, key: str, error: Exception) -> None:
        failures = self._failures[key] = self.failures(key) + 1
        self.retries += 1
        pause = min(self._first_pause * 2 ** min(failures - 1, 16), LONGEST_PAUSE)
        pause *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
        if isinstance(error, RefusedError):
            asked = min(error.retry_after, LONGEST_RETRY_AFTER)
            pause += asked
            if error.status == 429:  # there is no room for us, whatever we ask
                self._closed_until = asyncio.get_running_loop().time() + asked
        if not isinstance(error, ClusterError):
            log.error("%s: failed, trying again in %.1f s", key, pause, exc_info=error)
        elif failures == 1:
            log.warning("%s: %s; trying again", key, error)
        self.add_later(key, pause)

    def _cancel(self, key: str) -> None:
        if timer := self._later.pop(key, None):
            timer.cancel()
