"""What it costs to put many namespaces under a baseline at once: measured, by the audit log.

Asserts nothing; the tests and the benchmark say what is too much.
"""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from tests.cluster.audit import Asked, asked
from tests.controller.control import AGENT, Control
from tests.controller.protected import CLIENTS, LABEL, NAMESPACES, Protected, fresh
from tests.controlplane.wait import wait_for

WRITES = {"create", "update", "patch", "delete", "deletecollection"}


class Adopted(NamedTuple):
    """writes: requests by verb and resource. requests: of every kind, without those for the Lease.

    seconds: from the start of the controller until every status says covered. peak: the
    controller's memory in bytes. idle, steady: seconds afterwards in which nothing happened, and
    the requests in them by verb; a watch is asked for again every few minutes.
    """

    namespaces: int
    seconds: float
    writes: Counter[tuple[str, str]]
    requests: int
    peak: int
    idle: float
    steady: Counter[str]

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.namespaces} namespaces adopted at once, with the start of the controller:"
        written = sum(self.writes.values())
        rate = self.namespaces / self.seconds
        peak = self.peak / 2**20
        yield f"  {self.seconds:.1f} s ({rate:.0f} namespaces/s), {peak:.0f} MiB at most"
        each = ", ".join(f"{count} {verb} {what}" for (verb, what), count in self.writes.items())
        yield f"  {self.requests} requests, of which {written} write: {each}"
        counts = ", ".join(f"{count} {verb}" for verb, count in self.steady.items()) or "none"
        yield f"  requests in {self.idle:.0f} s in which nothing happened afterwards: {counts}"


def adopt(protected: Protected, controller: Control, count: int, idle: float) -> Adopted:
    """With a controller that does not run; afterwards it does, and the namespaces are gone."""
    names = fresh(count, "adopted")
    labels: dict[str, Any] = {"labels": {LABEL: "default-deny"}}

    def create(name: str) -> None:
        protected.api.insist(NAMESPACES, {"metadata": {"name": name, **labels}})

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(create, names))
    start, began = protected.plane.audit_position(), time.monotonic()
    controller.start()
    protected.await_covered(names, 60 + count / 5)
    seconds = time.monotonic() - began
    settle(protected, start)
    requests = asked(protected.plane, AGENT, start)
    steady = _idle(protected, idle)
    found = Adopted(
        count,
        seconds,
        Counter(sorted(map(_what, filter(is_write, requests)))),
        len(requests),
        controller.peak,
        idle,
        Counter(one.verb for one in steady),
    )
    protected.forget(names)
    return found


def settle(protected: Protected, start: int) -> None:
    """Until the controller has asked nothing for two seconds."""
    before, since = -1, time.monotonic()

    def quiet() -> bool:
        nonlocal before, since
        now = len(asked(protected.plane, AGENT, start))
        if now != before:
            before, since = now, time.monotonic()
        return time.monotonic() - since > 2

    wait_for(quiet, 60, "the controller to have nothing to do")


def _idle(protected: Protected, seconds: float) -> list[Asked]:
    start, until = protected.plane.audit_position(), time.monotonic() + seconds
    wait_for(lambda: time.monotonic() > until, seconds + 10, "nothing to happen")
    return asked(protected.plane, AGENT, start)


def is_write(request: Asked) -> bool:
    return request.verb in WRITES


def _what(request: Asked) -> tuple[str, str]:
    """The verb and the resource: the last part of a collection's path, else of the object's."""
    parts = request.uri.partition("?")[0].split("/")
    return request.verb, parts[-1] if request.verb == "create" else parts[-2]
