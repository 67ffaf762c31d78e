"""Where the time of one review goes inside the process: microseconds for each stage and policy.

Calls the functions of the server's hot path directly, without HTTP and TLS. Knows how the gate
is put together, and nothing of how the servers are run.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from policies.model import Request
from tests.bench.bare import recorder
from tests.bench.scenarios import Scenario
from webhook.admission import review
from webhook.admission.gate import Gate, Review
from webhook.admission.lanes import Lane, lanes
from webhook.admission.ruleset import Ruleset
from webhook.config import load, ruleset
from webhook.server.app import Webhook

CONFIG = Path(__file__).with_name("gateconfig.yaml")

ROUNDS = 10
ROUND_SECONDS = 0.01

Stage = tuple[str, float]


def show(scenario: Scenario) -> None:
    """Print the stages of a scenario as a table."""
    print(f"{scenario.title}, {len(scenario.body)} bytes: microseconds of processor time")
    for name, microseconds in stages(scenario, ruleset(load(CONFIG.read_bytes(), CONFIG.name))):
        print(f"{microseconds:8.2f}  {name}")


def stages(scenario: Scenario, rules: Ruleset) -> Iterator[Stage]:
    """Each stage with its microseconds per review; indented ones are parts of the one above."""
    gate = Gate(rules)
    asked = review.decode(scenario.body)
    judged = review.to_review(asked)
    decide = gate.mutate if scenario.path == "/mutate" else gate.validate
    verdict = decide(judged)
    yield "decode the review", _microseconds(lambda: review.decode(scenario.body))
    yield "the gate's words", _microseconds(lambda: review.to_review(asked))
    yield f"gate.{decide.__name__}", _microseconds(lambda: decide(judged))
    yield from _inside(scenario.path, judged, rules)
    yield (
        "encode the verdict",
        _microseconds(lambda: review.encode(asked.uid, judged.request, verdict)),
    )
    with open(os.devnull, "wb") as log:
        told, webhook = recorder(log), decide.__name__
        yield (
            "count it, log it",
            _microseconds(lambda: told.reviewed(webhook, asked, verdict, time.perf_counter(), b"")),
        )
        yield "all of it in the application", _microseconds(_application(scenario, gate, log))


def _application(scenario: Scenario, gate: Gate, log: BinaryIO) -> Callable[[], None]:
    """A function that has the ASGI application answer once, telemetry included."""
    webhook = Webhook(gate, recorder(log))
    length = b"%d" % len(scenario.body)
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    scope = {"type": "http", "method": "POST", "path": scenario.path, "headers": headers}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": scenario.body, "more_body": False}

    async def send(message: Any) -> None:
        pass

    def answer() -> None:
        with contextlib.suppress(StopIteration):  # how a coroutine that never waits ends
            webhook(scope, receive, send).send(None)

    return answer


def _inside(path: str, judged: Review, rules: Ruleset) -> Iterator[Stage]:
    request = judged.request
    lane = lanes(rules)[request.operation, request.group, request.resource]
    assert judged.object is not None
    body = judged.object
    view = lane.resource.decode(body)
    yield "  decode the object", _microseconds(lambda: lane.resource.decode(body))
    yield "  find its subjects", _microseconds(lambda: lane.resource.subjects(view))
    if path == "/validate":
        yield from _policies(lane, lane.resource.subjects(view), request)


def _policies(lane: Lane, subjects: tuple[Any, ...], request: Request) -> Iterator[Stage]:
    for step in lane.validating:
        validate = step.policy.validate
        assert validate is not None

        def judge(validate: Any = validate, params: Any = step.setting.params) -> None:
            for subject in subjects:
                list(validate(subject, request, params))

        yield f"  {step.policy.id}", _microseconds(judge)


def _microseconds(call: Callable[[], object]) -> float:
    """The best round: what the call costs when nothing else runs."""
    begin = time.process_time()
    call()
    count = max(1, int(ROUND_SECONDS / max(time.process_time() - begin, 1e-7)))
    return min(_mean(call, count) for _ in range(ROUNDS)) * 1e6


def _mean(call: Callable[[], object], count: int) -> float:
    begin = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - begin) / count
