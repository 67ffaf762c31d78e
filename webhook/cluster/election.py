"""Leader election over a Lease: at most one of many processes leads, and does its work.

Owns when we may lead and the task that runs while we do; knows nothing of what that does.

All times are those of our own monotonic clock. A Lease has expired when *we* have not seen it
change for its duration, whatever its renewTime says; a leader counts from the moment when it
*sent* its last successful renewal, and its work is cancelled `Timing.renew` later, before anybody
else can take the Lease. That holds while no clock is slower than another by more than
lease / renew, and while nobody but its holder empties the Lease or deletes it.

It cannot hold for a request that is under way when the work is cancelled, nor for a process that
was stopped and goes on: what a leader writes must do no harm when another one has written it
too, and work that writes much asks `Election.is_leader` in between.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.cluster.connection import Connection
from webhook.cluster.errors import ClusterError, ConflictError, RefusedError
from webhook.cluster.lease import NOBODY, Lease

Lead = Callable[[], Coroutine[Any, Any, None]]
NOT_LEADING = -math.inf
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Seconds; but for `request` those of client-go.

    lease: for how long nobody else takes a Lease that does not change. renew: for how long we
    lead after a renewal; the rest of `lease` is for our work to end. retry: between two attempts,
    give or take a fifth. request: for one attempt, so that `renew` has room for a second one.
    """

    lease: float = 15.0
    renew: float = 10.0
    retry: float = 2.0
    request: float = 4.0

    def __post_init__(self) -> None:
        if not 0 < max(self.retry, self.request) < self.renew < self.lease:
            raise ValueError(f"retry and request < renew < lease must hold in {self}")


def _uptime() -> float:
    """Monotonic; where the system has such a clock, it counts while the machine sleeps, too."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Election:
    """One candidate for the Lease `name` in `namespace`.

    identity: says who we are, as a pod's name does; what makes it unique is added, since a
    container that is started again has the name of the one before it. annotations: asked for
    what to write on the Lease while leading.
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        name: str,
        identity: str,
        *,
        timing: Timing = Timing(),
        clock: Callable[[], float] = _uptime,
        annotations: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.identity = f"{identity}_{uuid.uuid4()}"
        self.failure = ""
        """Why the last attempt to read or write the Lease failed, "" when it did not."""
        self._lease = Lease(connection, namespace, name, clock, annotations)
        self._timing = timing
        self._clock = clock
        self._until = NOT_LEADING
        self._working = False
        self._retry_after = 0.0

    @property
    def is_leader(self) -> bool:
        """Asks the clock, so that it is right even after the event loop was held up."""
        return self._clock() < self._until

    @property
    def holder(self) -> str:
        """The identity in the Lease, as last seen; "" for nobody."""
        return self._lease.holder

    @property
    def transitions(self) -> int:
        """How often the Lease has changed hands, as last seen."""
        return self._lease.transitions

    async def run(self, lead: Lead) -> None:
        """Run `lead` whenever and for as long as we lead; until cancelled, or until it ends.

        No failure of the API server ends this. What `lead` raises by itself is raised here. The
        Lease is released at the end, so that the next one need not wait until it expires.
        """
        try:
            ended = False
            while not ended:
                await self._campaign()
                ended = await self._term(lead)
        finally:
            if not self._working:
                await self._release()

    async def _campaign(self) -> None:
        while not self.is_leader:
            await self._attempt(self._timing.request)
            if not self.is_leader:
                await asyncio.sleep(self._pause())

    async def _term(self, lead: Lead) -> bool:
        """Run `lead` until it ends by itself, which is true, or until the Lease is lost."""
        log.info("%s: leading as %s", self._lease, self.identity)
        self._working = True
        work, renewal = asyncio.create_task(lead()), asyncio.create_task(self._renew())
        try:
            await asyncio.wait((work, renewal), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
                return True
            renewal.result()
            log.warning("%s: not leading any more", self._lease)
            return False
        finally:
            await self._end(work, renewal)
            self._working = False
            self._until = NOT_LEADING

    async def _end(self, work: asyncio.Task[None], renewal: asyncio.Task[None]) -> None:
        interrupted = work.cancel()
        renewal.cancel()
        patience = self._timing.lease - self._timing.renew
        _, late = await asyncio.wait((work, renewal), timeout=patience)
        if late:
            log.critical("%s: our work does not end, and others may lead by now", self._lease)
            await asyncio.wait(late)
        if interrupted and not work.cancelled() and (error := work.exception()):
            log.error("%s: our work failed when it was cancelled", self._lease, exc_info=error)

    async def _renew(self) -> None:
        """Until the Lease is lost."""
        while (left := self._until - self._clock()) > 0:
            await asyncio.sleep(min(left, self._pause()))
            if (left := self._until - self._clock()) > 0:
                await self._attempt(min(left, self._timing.request))

    async def _attempt(self, seconds: float) -> None:
        """Take or renew the Lease if it may be; what stands in the way is told and remembered."""
        try:
            async with asyncio.timeout(seconds):
                await self._take()
        except (ClusterError, TimeoutError) as error:
            self._failed(error)
        else:
            self.failure = ""

    async def _take(self) -> None:
        before = self.holder
        if before != self.identity:
            await self._lease.look()
        while self._free():
            sent = self._clock()
            try:
                await self._lease.hold(self.identity, self._timing.lease)
            except ConflictError:  # somebody was faster, or has only set a label
                await self._lease.look()
            else:
                self._until = sent + self._timing.renew
                return
        self._until = NOT_LEADING
        if self.holder != before:
            log.info("%s: %s leads", self._lease, self.holder)

    def _free(self) -> bool:
        # Its holder leads by what it has promised, which another release may do otherwise.
        promised = max(self._timing.lease, self._lease.spec.leaseDurationSeconds or 0)
        expired = self._clock() >= self._lease.since + promised
        return self.holder in {NOBODY, self.identity} or expired

    async def _release(self) -> None:
        """If this fails, the next one waits until the Lease expires."""
        try:
            async with asyncio.timeout(self._timing.request):
                await self._lease.look()
                while self.holder == self.identity:
                    await self._try_release()
        except (ClusterError, TimeoutError) as error:
            self._failed(error)

    async def _try_release(self) -> None:
        try:
            await self._lease.release()
        except ConflictError:  # a renewal that was under way when it was cancelled
            await self._lease.look()
        else:
            log.info("%s: released", self._lease)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, RefusedError):
            self._retry_after = min(error.retry_after, self._timing.lease)
        text = str(error) or f"{self._lease}: no answer in time"
        # While nothing is reached, how it is not changes from one attempt to the next.
        if not self.failure or (isinstance(error, RefusedError) and text != self.failure):
            log.warning("%s; trying on", text)
        self.failure = text

    def _pause(self) -> float:
        asked, self._retry_after = self._retry_after, 0.0
        jitter = random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, keeps no secret
        return max(asked, self._timing.retry * jitter)
