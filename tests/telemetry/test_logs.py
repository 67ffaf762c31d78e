"""Log lines: one JSON object each, joined by the uid, with nothing hostile and nothing secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.resources import Resource

from policies.model import Action
from tests.telemetry.given import PATCHED, UID, asked, verdict
from webhook.admission.verdict import ALLOWED, Verdict
from webhook.telemetry.lines import LineWriter
from webhook.telemetry.logs import LONGEST_VALUE, Handler, Log
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.telemetry import Telemetry


def written(use: Callable[[Log], None]) -> list[dict[str, Any]]:
    """The lines of a log after ``use``; each is one line of pure ASCII."""
    file = io.BytesIO()
    writer = LineWriter(file)
    use(Log(writer))
    writer.close()
    assert file.getvalue().isascii()
    return [json.loads(line) for line in file.getvalue().splitlines()]


def told(use: Callable[[Telemetry], None]) -> list[dict[str, Any]]:
    metrics = Metrics(Resource({}))
    lines = written(lambda log: use(Telemetry(metrics, log)))
    metrics.close()
    return lines


def reviewed(found: Verdict, **fields: Any) -> list[dict[str, Any]]:
    return told(lambda telemetry: telemetry.reviewed("validate", asked(**fields), found, 0.0, b""))


def test_a_denial_says_who_wanted_what_and_which_policies() -> None:
    (line,) = reviewed(verdict(Action.DENY, Action.WARN), dryRun=True, subResource="status")
    assert line.pop("time")
    assert line.pop("durationMs") > 0
    assert line == {
        "level": "info",
        "message": "denied",
        "webhook": "validate",
        "request.uid": UID,
        "request.operation": "CREATE",
        "request.resource": "v1/pods",
        "request.subresource": "status",
        "request.namespace": "dev",
        "request.name": "shop",
        "request.user": "jane",
        "request.dryRun": True,
        "policies": ["deny-policy"],
    }


def test_a_patch_is_a_line_and_an_allowed_review_is_none() -> None:
    assert [line["message"] for line in reviewed(PATCHED)] == ["patched"]
    assert reviewed(ALLOWED) == []
    assert reviewed(verdict(Action.WARN, Action.AUDIT)) == []


def test_a_name_that_is_not_generated_yet() -> None:
    pod = msgspec.Raw(b'{"kind":"Pod","metadata":{"generateName":"shop-","labels":{}}}')
    (line,) = reviewed(PATCHED, name=None, object=pod)
    assert line["request.generateName"] == "shop-"
    (line,) = reviewed(PATCHED, object=pod)
    assert "request.generateName" not in line


def test_an_error_of_a_policy_is_told_with_its_place() -> None:
    def use(telemetry: Telemetry) -> None:
        try:
            raise LookupError("no such port")
        except LookupError as error:
            found = Verdict(verdict(Action.DENY).findings, (), (error,))
        telemetry.reviewed("validate", asked(), found, 0.0, b"")

    failed, denied = told(use)
    assert (failed["level"], failed["message"]) == ("error", "policy failed")
    assert failed["request.uid"] == denied["request.uid"] == UID
    assert failed["traceback"][-1] == "LookupError: no such port"
    assert any("test_logs.py" in line for line in failed["traceback"])


def test_object_contents_do_not_reach_the_log() -> None:
    secret = msgspec.Raw(b'{"data":{"password":"aHVudGVyMg=="}}')
    lines = reviewed(verdict(Action.DENY), object=secret, oldObject=secret)
    assert "aHVudGVyMg" not in json.dumps(lines)


HOSTILE = [
    'a\nb {"level": "info"}',
    "a\r\nb",
    "\x1b[2Jgone",
    "\x9b31m",
    "a\u2028b\u2029c\x85d",
    "\u202egnp.exe",
    '"},{"',
    "\x00",
    "x" * 1_000_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_peer_writes_stays_one_value_of_one_line(text: str) -> None:
    (line,) = reviewed(
        verdict(Action.DENY),
        name=text,
        namespace=text,
        userInfo={"username": text},
        subResource=text,
    )
    assert (
        line["request.name"]
        == line["request.user"]
        == (text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "...")
    )
    (line,) = told(lambda telemetry: telemetry.refused("review", text, text))
    assert line["detail"][:20] == text[:20]
    assert len(json.dumps(line)) < 5 * LONGEST_VALUE


def test_the_time_is_utc_in_milliseconds() -> None:
    (line,) = written(lambda log: log.write("info", "x"))
    assert line["time"].endswith("Z")
    at = datetime.fromisoformat(line["time"])
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert len(line["time"]) == len("2026-01-01T00:00:00.000Z")


@pytest.mark.slow
def test_time_goes_on_within_a_second_and_beyond() -> None:
    def use(log: Log) -> None:
        end = datetime.now(UTC) + timedelta(seconds=1.2)
        while datetime.now(UTC) < end:
            log.write("info", "x")

    times = [line["time"] for line in written(use)]
    assert times == sorted(times)
    assert len(set(times)) > 20  # not more where ten thousand lines are put within milliseconds
    assert times[0][:19] < times[-1][:19]


def _raise() -> None:
    raise KeyError("lost")


def test_what_libraries_log_becomes_lines() -> None:
    logger = logging.getLogger("tests.some.package")
    logger.propagate = False

    def use(log: Log) -> None:
        handler = Handler(log)
        logger.addHandler(handler)
        logger.warning("%s is late", "pod\n1")
        logger.warning(*("%s %s", "only one"))
        try:
            _raise()
        except KeyError:
            logger.exception("it failed")
        logger.removeHandler(handler)

    late, unformatted, failed = written(use)
    assert (late["level"], late["message"]) == ("warning", "pod\n1 is late")
    assert late["logger"] == "tests.some.package"
    assert unformatted["message"] == "%s %s"
    assert (failed["level"], failed["message"]) == ("error", "it failed")
    assert failed["traceback"][-1] == "KeyError: 'lost'"
