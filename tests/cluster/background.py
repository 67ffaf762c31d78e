"""Coroutines on an event loop in a thread, so that tests stay plain functions that poll."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import uvloop

from webhook.cluster.connection import Connection

START_SECONDS, STOP_SECONDS = 5, 5
Main = Callable[[], Coroutine[None, None, None]]


@contextmanager
def running(connection: Connection, *mains: Main) -> Iterator[asyncio.AbstractEventLoop]:
    """Run all of `mains` within the block, on the loop of the server; then cancel them.

    Raises what one of them raised, and TimeoutError when they do not end.
    """
    started: Future[tuple[asyncio.AbstractEventLoop, threading.Event]] = Future()
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(_run, connection, mains, started)
        loop, stopped = started.result(START_SECONDS)
        try:
            yield loop
        finally:
            if not stopped.is_set():
                loop.call_soon_threadsafe(_cancel_all, loop)
            result.result(STOP_SECONDS)


def _run(
    connection: Connection,
    mains: tuple[Main, ...],
    started: "Future[tuple[asyncio.AbstractEventLoop, threading.Event]]",
) -> None:
    stopped = threading.Event()

    async def main() -> None:
        started.set_result((asyncio.get_running_loop(), stopped))
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


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
