"""Every report says what was judged, when, and by which rules."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from tests.audit.reports.given import LIVE, SAMPLE, written
from webhook.audit.findings import Report
from webhook.audit.judged import Judged
from webhook.audit.reports import FORMATS
from webhook.audit.reports.words import judged

TIME = "2026-11-21T12:00:00Z"
CLUSTER = Judged(
    source="cluster",
    cluster="https://10.0.0.1:6443",
    context="production",
    namespace="shop",
    time=TIME,
    asOf="2027-03-31T00:00:00Z",
    profile="strict",
)


@pytest.mark.parametrize("output", FORMATS)
def test_every_format_says_it(output: str) -> None:
    text = written(SAMPLE, output)
    for part in ("deploy", TIME, "standard", "gate.yaml"):
        assert part in text
    text = written(Report((LIVE,), judged=CLUSTER), output)
    for part in ("https://10.0.0.1:6443", "production", TIME, "2027-03-31T00:00:00Z", "strict"):
        assert part in text


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (Judged(), ""),
        (Judged(paths=("a\x1b.yaml",), profile="audit"), "manifests a .yaml; profile audit"),
        (Judged(paths=("-",), stage="warn"), "manifests standard input; stage warn"),
        (Judged(paths=tuple("abcde")), "manifests a, b, c and 2 more"),
        (Judged("events", ("audit.log",), time=TIME), f"audit log audit.log; at {TIME}"),
        (Judged("cluster", profile="standard"), "cluster; profile standard"),
        (
            CLUSTER,
            "cluster https://10.0.0.1:6443; context production; namespace shop; profile strict; "
            f"at {TIME}; exemptions as of 2027-03-31T00:00:00Z",
        ),
    ],
)
def test_in_words(of: Judged, text: str) -> None:
    assert judged(Report(judged=of)) == text


def test_a_report_that_says_nothing_of_it_has_no_empty_line() -> None:
    for output in ("table", "github", "markdown"):
        lines = written(Report(), output).splitlines()
        assert not any(one.startswith(("judged", "Judged", "netreeve: judged")) for one in lines)


@pytest.mark.parametrize(
    ("source", "name"),
    [("manifests", "netreeve-check"), ("cluster", "netreeve-audit"), ("events", "netreeve-events")],
)
def test_policy_reports_are_named_after_what_made_them(source: str, name: str) -> None:
    report = replace(SAMPLE, judged=replace(CLUSTER, source=source))
    items = json.loads(written(report, "openreports"))["items"]
    assert {item["metadata"]["name"] for item in items} == {name}


def test_clean_namespaces_have_empty_policy_reports() -> None:
    def found(judged: Judged) -> dict[str, int]:
        clean = replace(LIVE, namespace="clean", findings=(), status="allowed")
        unjudged = replace(clean, namespace="kube-system", status="excluded")
        report = Report((LIVE, clean, unjudged, replace(clean, namespace="")), judged=judged)
        items = json.loads(written(report, "policyreport"))["items"]
        return {item["metadata"].get("namespace", ""): len(item["results"]) for item in items}

    assert found(Judged("cluster")) == {"": 0, "clean": 0, "shop": 1}
    assert found(Judged("cluster", namespace="shop")) == {"shop": 1}
