"""Waiting for something to become true: the one place in the tests that sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Short enough that a wait costs no noticeable time, long enough not to starve what is waited for.
POLL_SECONDS = 0.02


def wait_for(predicate: Callable[[], T], timeout: float, what: str) -> T:
    """Call `predicate` until it returns something true, and return that.

    An exception from `predicate` is not swallowed: catch inside what may fail on the way.
    Raises TimeoutError, naming `what` and the last value, when `timeout` seconds have passed.
    """
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}; last seen: {value!r}")
        time.sleep(POLL_SECONDS)
    return value
