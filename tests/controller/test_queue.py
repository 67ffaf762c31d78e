"""The work queue: each key once, one worker a key, nothing lost, failures later and later."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

import pytest

from webhook.cluster.errors import RefusedError, UnreachableError
from webhook.controller.queue import WorkQueue

SECONDS = 10.0


def run(main: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), SECONDS))


async def working(
    one: WorkQueue, work: Callable[[str], Awaitable[None]], until: asyncio.Event, workers: int = 4
) -> None:
    """Work until the event is set."""
    task = asyncio.create_task(one.run(work, workers))
    await until.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_a_key_that_waits_is_worked_on_once() -> None:
    async def main() -> None:
        one, done, seen = WorkQueue(), asyncio.Event(), Counter[str]()
        for _ in range(100):
            for key in ("a", "b"):
                one.add(key)
        assert len(one) == 2
        one.add("last")

        async def work(key: str) -> None:
            seen[key] += 1
            if key == "last":
                done.set()

        await working(one, work, done, workers=1)
        assert seen == {"a": 1, "b": 1, "last": 1}

    run(main)


def test_what_something_happened_to_goes_before_what_is_looked_at_with_all() -> None:
    async def main() -> None:
        one, done, seen = WorkQueue(), asyncio.Event(), list[str]()
        for key in ("a", "b", "c"):
            one.add(key, patient=True)
        one.add("new")
        one.add("c")
        one.add("new", patient=True)
        assert len(one) == 4

        async def work(key: str) -> None:
            seen.append(key)
            if key == "new":
                one.add("a", patient=True)
            if key == "b":
                done.set()

        await working(one, work, done, workers=1)
        assert seen == ["new", "c", "a", "b"]
        assert not len(one)

    run(main)


def test_what_happens_during_the_work_is_looked_at_after_it() -> None:
    """And never by two workers at once."""

    async def main() -> None:
        one, done = WorkQueue(), asyncio.Event()
        at_once, most, seen = 0, 0, 0

        async def work(key: str) -> None:
            nonlocal at_once, most, seen
            at_once, seen = at_once + 1, seen + 1
            most = max(most, at_once)
            for _ in range(3):
                if seen < 20:
                    one.add(key)
                await asyncio.sleep(0)
            at_once -= 1
            if seen == 20 and not len(one):
                done.set()

        one.add("a")
        await working(one, work, done)
        assert (seen, most) == (20, 1)

    run(main)


def test_failures_are_tried_again_later_and_later(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        one, done, times = WorkQueue(first_pause=0.01), asyncio.Event(), list[float]()

        async def work(key: str) -> None:
            times.append(asyncio.get_running_loop().time())
            if len(times) < 6:
                raise UnreachableError("no answer")
            done.set()

        one.add("a")
        await working(one, work, done)
        assert one.retries == 5
        assert one.failures("a") == 0
        assert times[5] - times[4] > 0.01 * 2**4 * 0.5

    with caplog.at_level(logging.WARNING):
        run(main)
    assert len(caplog.records) == 1


def test_a_refusal_says_when_to_come_back() -> None:
    async def main() -> None:
        one, done, times = WorkQueue(), asyncio.Event(), list[float]()

        async def work(key: str) -> None:
            times.append(asyncio.get_running_loop().time())
            if len(times) == 2:
                done.set()
            else:
                raise RefusedError("slow down", 429, retry_after=0.5)

        one.add("a")
        await working(one, work, done)
        assert times[1] - times[0] >= 0.5

    run(main)


def test_a_failure_of_our_own_ends_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        one, done = WorkQueue(), asyncio.Event()

        async def work(key: str) -> None:
            if key == "bad":
                raise ZeroDivisionError
            done.set()

        one.add("bad")
        one.add("good")
        await working(one, work, done, workers=1)

    run(main)
    assert "bad" in caplog.text


def test_forgotten_keys_are_not_worked_on() -> None:
    async def main() -> None:
        one, done, seen = WorkQueue(), asyncio.Event(), list[str]()
        one.add("old")
        one.add_later("later", 0.001)
        one.clear()
        assert len(one) == 0
        one.add_later("new", 0.05)

        async def work(key: str) -> None:
            seen.append(key)
            done.set()

        await working(one, work, done)
        assert seen == ["new"]

    run(main)
