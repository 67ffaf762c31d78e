"""Coroutines on an event loop in a thread, so that tests stay plain functions that poll."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import uvloop

from webhook.cluster.connection import Connection

START_SECONDS, STOP_SECONDS = 5, 5
Main = Callable[[], Coroutine[None, None, None]]


class _Started(NamedTuple):
    loop: asyncio.AbstractEventLoop
    task: asyncio.Task[None]
    stopped: threading.Event


@contextmanager
def running(connection: Connection, *mains: Main) -> Iterator[asyncio.AbstractEventLoop]:
    """Run all of `mains` within the block, on the loop of the server; then cancel them.

    Raises what one of them raised, and TimeoutError when they do not end.
    """
    started: Future[_Started] = Future()
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(_run, connection, mains, started)
        loop, task, stopped = started.result(START_SECONDS)
        try:
            yield loop
        finally:
            if not stopped.is_set():
                loop.call_soon_threadsafe(task.cancel)
            result.result(STOP_SECONDS)


def _run(connection: Connection, mains: tuple[Main, ...], started: "Future[_Started]") -> None:
    stopped = threading.Event()

    async def main() -> None:
        task = asyncio.current_task()
        assert task
        started.set_result(_Started(asyncio.get_running_loop(), task, stopped))
        try:
            async with connection, asyncio.TaskGroup() as group:
                for one in mains:
                    group.create_task(one())
        except asyncio.CancelledError:
            pass
        finally:
            stopped.set()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
