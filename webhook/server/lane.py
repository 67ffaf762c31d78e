"""One costly review at a time, and the others in between.

Judging goes on until it is done, and the longest objects take a tenth of a second of it. Of forty
that came at once, all would be judged before anybody else's, and every other write of the cluster
would fail at its time-out. Knows nothing of reviews.
"""

from __future__ import annotations

import asyncio
import time

COSTLY_SECONDS = 0.005
"""What took less keeps nobody waiting, so that the next one may follow at once."""


class SlowLane:
    """For one event loop. patience: seconds that one waits for its turn."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._taken = asyncio.Lock()

    async def turn(self) -> None:
        """Return when it is one's turn, which lasts until the caller awaits something.

        The next one begins as much later as this one takes. Raises TimeoutError.
        """
        async with asyncio.timeout(self._patience):
            await self._taken.acquire()
        asyncio.get_running_loop().call_soon(self._end, time.perf_counter())

    def _end(self, started: float) -> None:
        spent = time.perf_counter() - started
        if spent < COSTLY_SECONDS:
            self._taken.release()
        else:
            asyncio.get_running_loop().call_later(spent, self._taken.release)
