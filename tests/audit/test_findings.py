"""What becomes of an object by its findings, and what of them makes a run fail."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from policies.model import Action, Violation
from tests.audit.reports.given import CLAIMED, EXEMPTED, LIVE, NODE_PORT
from webhook.admission.verdict import Exempt, Finding
from webhook.audit.compare import with_baseline
from webhook.audit.findings import Found, Report, Result, status_of

DENIED = NODE_PORT
WARNED = replace(NODE_PORT, action=Action.WARN)
AUDITED = replace(NODE_PORT, action=Action.AUDIT)
OLD, OLD_WARNED, OLD_AUDITED = (replace(one, preexisting=True) for one in (DENIED, WARNED, AUDITED))


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ((), "allowed"),
        ((AUDITED,), "allowed"),
        ((OLD_AUDITED,), "allowed"),
        ((WARNED, AUDITED), "warned"),
        ((DENIED, WARNED), "denied"),
        ((CLAIMED,), "denied"),
        ((EXEMPTED,), "exempt"),
        ((EXEMPTED, AUDITED), "exempt"),
        ((EXEMPTED, WARNED), "warned"),
        ((OLD,), "preexisting"),
        ((OLD_WARNED, EXEMPTED), "preexisting"),
        ((OLD, WARNED), "warned"),
        ((OLD, DENIED), "denied"),
        ((replace(EXEMPTED, preexisting=True),), "exempt"),
    ],
)
def test_the_strongest_of_what_is_new_and_not_exempt_counts(
    findings: tuple[Found, ...], status: str
) -> None:
    assert status_of(findings) == status


def test_the_findings_of_the_gate_count_alike() -> None:
    finding = Finding("node-port", Action.WARN, Violation("spec.type", "m", "f"))
    assert status_of([finding]) == "warned"
    assert status_of([replace(finding, preexisting=True)]) == "preexisting"
    assert status_of([replace(finding, exempt=Exempt("namespace", "r"))]) == "exempt"


def report(*findings: Found) -> Report:
    result = Result("a.yaml", 1, "v1", "Service", "", "a", status_of(findings), findings)
    return Report((result,), failOn=Action.WARN)


@pytest.mark.parametrize(
    ("finding", "code"), [(WARNED, 1), (EXEMPTED, 0), (OLD, 0), (OLD_WARNED, 0), (CLAIMED, 1)]
)
def test_what_is_exempt_or_was_there_before_fails_nothing(finding: Found, code: int) -> None:
    assert report(finding).exit_code == code


def test_a_baseline_makes_a_denied_object_one_that_was_there_before() -> None:
    found = with_baseline(report(DENIED), report(DENIED))
    assert [one.status for one in found.results] == ["preexisting"]
    assert (found.summary["denied"], found.summary["preexisting"], found.exit_code) == (0, 1, 0)


def test_every_judged_object_is_counted_once() -> None:
    groups = ((DENIED,), (WARNED,), (EXEMPTED,), (OLD,), (AUDITED,), ())
    results = tuple(replace(LIVE, findings=one, status=status_of(one)) for one in groups)
    summary = Report(results).summary
    names = ("denied", "warned", "exempt", "preexisting", "allowed", "audited")
    assert [summary[name] for name in names] == [1, 1, 1, 1, 2, 1]
