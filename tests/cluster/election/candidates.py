"""Candidates for a Lease, each on an event loop of its own, and the times at which they led."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.cluster.background import running
from tests.controlplane.wait import wait_for
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.election import Election, Lead, Timing

TIMING = Timing(lease=3, renew=1.5, retry=0.25, request=0.5)
NAMESPACE = "default"
LONGEST_END = 20.0


class Term(NamedTuple):
    """From the first to the last moment of one leader's work, by time.monotonic()."""

    leader: str
    start: float
    end: float


class Terms:
    """What all candidates of a test have done, to be looked at from any thread."""

    def __init__(self) -> None:
        self.ended: list[Term] = []

    def await_end(self, number: int, seconds: float) -> None:
        """Of so many terms in all."""
        wait_for(lambda: len(self.ended) >= number, seconds, f"the end of {number} terms")

    def check(self) -> list[Term]:
        """In order; no two of them at the same time."""
        ordered = sorted(self.ended, key=lambda term: term.start)
        for one, other in pairwise(ordered):
            assert one.end < other.start, (one, other)
        return ordered


class Candidate:
    """Leads by doing nothing; told to end that, it waits for `ending` first."""

    def __init__(
        self,
        kubeconfig: Path,
        lease: str,
        name: str,
        terms: Terms,
        *,
        timing: Timing = TIMING,
        clock: Callable[[], float] = time.monotonic,
        ending: threading.Event | None = None,
        agent: str = "netreeve",
    ) -> None:
        self.name = name
        self.connection = Connection(Kubeconfig(str(kubeconfig)), user_agent=agent)
        self.election = Election(
            self.connection, NAMESPACE, lease, name, timing=timing, clock=clock
        )
        self.working = threading.Event()
        self.loop: asyncio.AbstractEventLoop
        self._terms = terms
        self._ending = ending
        self._task: asyncio.Task[None] | None = None

    async def run(self, lead: Lead | None = None) -> None:
        """Until `stop`, with work of the test's own or that of this class."""
        self.loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        async with self.connection:
            await self.election.run(lead or self.lead)

    def stop(self) -> None:
        """As an orderly end of the process does."""
        assert self._task
        self.loop.call_soon_threadsafe(self._task.cancel)

    async def lead(self) -> None:
        start = time.monotonic()
        self.working.set()
        try:
            await asyncio.Event().wait()
        finally:
            if self._ending:
                await asyncio.to_thread(self._ending.wait, LONGEST_END)
            self.working.clear()
            self._terms.ended.append(Term(self.name, start, time.monotonic()))

    def await_lead(self, seconds: float) -> None:
        wait_for(self.working.is_set, seconds, f"{self.name} to lead")

    def await_end(self, seconds: float) -> None:
        wait_for(lambda: not self.working.is_set(), seconds, f"{self.name} to stop leading")


@contextmanager
def standing(candidate: Candidate) -> Iterator[Candidate]:
    """Within the block it is a candidate; after it, it has released the Lease if it can."""
    with running(candidate.connection, candidate.run):
        yield candidate
