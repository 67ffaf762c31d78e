"""Steady requests from users while something else happens, with every answer accounted for.

Open loop: requests are due at fixed times, whatever became of those before. No client retries.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.controller.api import Json
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

SECONDS = 15.0
"""For one request; the API server itself gives a webhook five."""
PATIENCE = 180.0
"""For many answers, on a busy machine."""
STARTING = 'service \\"netreeve-serve\\" not found'
"""An API server that listens and is not ready yet has not heard of any Service; it fails closed."""
WORKERS = 32
NODE_PORT: Json = {"type": "NodePort", "ports": [{"port": 80}]}
CLUSTER_IP: Json = {"ports": [{"port": 80}]}


@dataclass
class Seen:
    """How many requests ended how, by what was asked; and texts of what should not have been.

    admitted; denied by a policy; failed, because no server answered the API server; unreachable:
    the API server itself did not answer, or was just starting.
    """

    violating: Counter[str] = field(default_factory=Counter)
    harmless: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.violating.total() + self.harmless.total()


class Traffic:
    """Creates Services in a namespace, as many violating ones as harmless ones."""

    def __init__(self, plane: ControlPlane, namespace: str, *, per_second: float) -> None:
        self.seen = Seen()
        self._url = f"{plane.url}/api/v1/namespaces/{namespace}/services"
        self._tls = plane.tls()
        self._pause = 1 / (2 * per_second)
        self._name = f"traffic-{uuid.uuid4().hex[:6]}"
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @contextmanager
    def flowing(self) -> Iterator[Seen]:
        """Within the block; the counts are complete after it."""
        limits = httpx.Limits(max_connections=WORKERS)
        with (
            httpx.Client(
                verify=self._tls, trust_env=False, timeout=SECONDS, limits=limits
            ) as client,
            ThreadPoolExecutor(WORKERS) as workers,
        ):
            clock = threading.Thread(target=self._send_on_time, args=(client, workers))
            clock.start()
            try:
                yield self.seen
            finally:
                self._ended.set()
                clock.join()

    def await_more(self, count: int) -> None:
        """Until so many further requests have been answered."""
        goal = self.seen.total + count
        wait_for(lambda: self.seen.total >= goal, PATIENCE, f"{count} more answers")

    def _send_on_time(self, client: httpx.Client, workers: ThreadPoolExecutor) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            workers.submit(self._send, client, next(self._numbers))
            due += self._pause

    def _send(self, client: httpx.Client, number: int) -> None:
        violating = number % 2 == 0
        body = {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": f"{self._name}-{number}"},
            "spec": NODE_PORT if violating else CLUSTER_IP,
        }  # fmt: skip
        try:
            answer = client.post(self._url, json=body)
            outcome, text = _outcome(answer), answer.text
        except httpx.TransportError as error:
            outcome, text = "unreachable", repr(error)
        self._note(violating, outcome, text)

    def _note(self, violating: bool, outcome: str, text: str) -> None:
        with self._lock:
            (self.seen.violating if violating else self.seen.harmless)[outcome] += 1
            if outcome != ("denied" if violating else "admitted"):
                self.seen.texts.append(f"{outcome}: {text[:300]}")


def _outcome(answer: httpx.Response) -> str:
    if answer.is_success:
        return "admitted"
    if "denied the request" in answer.text:
        return "denied"
    if STARTING in answer.text:
        return "unreachable"
    return "failed" if "webhook" in answer.text else "unreachable"
