"""A real API server takes the policy reports, hostile names included, under the published CRDs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.audit.reports.given import LIVE, compared, everywhere, written
from tests.controlplane.cluster import ControlPlane
from webhook.audit.findings import Report
from webhook.audit.judged import Judged

pytestmark = pytest.mark.cluster
CRDS = Path(__file__).parent / "schemas" / "crds"
FORMATS = {"policyreport": "policyreports.wgpolicyk8s.io", "openreports": "reports.openreports.io"}


@pytest.fixture(scope="module")
def with_crds(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane of all tests, which knows both kinds of reports for a while."""
    kubectl(control_plane, "apply", "--server-side", "-f", str(CRDS))
    wait = ("wait", "--for=condition=Established", "--timeout=30s")
    kubectl(control_plane, *wait, "-f", str(CRDS))
    yield control_plane
    kubectl(control_plane, "delete", "-f", str(CRDS))


def kubectl(control_plane: ControlPlane, *arguments: str, stdin: str | None = None) -> str:
    return control_plane.kubectl(*arguments, stdin=stdin).stdout


def moved(report: Report, namespace: str) -> Report:
    """The same report about objects in a namespace that is there."""
    results = tuple(
        replace(one, namespace=namespace) if one.namespace == "shop" else one
        for one in report.results
    )
    return replace(report, results=results)


def items(report: Report, output: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(written(report, output))["items"]
    return found


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("report", [compared(), everywhere("]]>\x1b[31m<script>|\n\u202e")])
def test_reports_are_accepted_and_stored_as_they_are(
    with_crds: ControlPlane, namespace: str, output: str, report: Report
) -> None:
    """Strictly: a field that the schema does not know would be an error."""
    report = moved(report, namespace)
    apply = ("apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-")
    kubectl(with_crds, *apply, stdin=written(report, output))
    for wanted in items(report, output):
        meta = wanted["metadata"]
        kind = FORMATS[output] if "namespace" in meta else f"cluster{FORMATS[output]}"
        where = ("-n", meta["namespace"]) if "namespace" in meta else ()
        text = kubectl(with_crds, "get", kind, meta["name"], *where, "-o", "json")
        stored = json.loads(text)
        assert {key: stored[key] for key in ("results", "summary")} == {
            key: wanted[key] for key in ("results", "summary")
        }


def test_a_namespace_that_has_become_clean_loses_its_results(
    with_crds: ControlPlane, namespace: str
) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    for findings in (LIVE.findings, ()):
        result = replace(LIVE, namespace=namespace, findings=findings, status="denied")
        kubectl(with_crds, *apply, stdin=written(Report((result,)), "openreports"))
        get = ("get", "reports.openreports.io", "netreeve-check", "-n", namespace, "-o", "json")
        assert len(json.loads(kubectl(with_crds, *get))["results"]) == len(findings)
    kubectl(with_crds, *apply, stdin=written(Report(), "openreports"))


def test_nobody_overwrites_the_reports_of_the_audit_in_the_background(
    with_crds: ControlPlane, namespace: str
) -> None:
    """They have the same name; kubectl says whose they are."""
    report = replace(moved(Report((LIVE,)), namespace), judged=Judged("cluster", time="then"))
    apply = ("apply", "--server-side", "-f", "-")
    ours = ("--field-manager", "netreeve-audit")
    kubectl(with_crds, *apply, *ours, stdin=written(report, "openreports"))
    later = replace(report, judged=Judged("cluster", time="now"))
    with pytest.raises(subprocess.CalledProcessError) as refused:
        kubectl(with_crds, *apply, stdin=written(later, "openreports"))
    assert 'conflict with "netreeve-audit"' in refused.value.stderr


@pytest.mark.parametrize("output", FORMATS)
def test_what_the_schema_does_not_know_is_refused(
    with_crds: ControlPlane, namespace: str, output: str
) -> None:
    """So that the test above can fail."""
    text = written(moved(compared(), namespace), output).replace(
        '"result": "fail"', '"result": "denied"'
    )
    with pytest.raises(subprocess.CalledProcessError):
        kubectl(with_crds, "apply", "--server-side", "-f", "-", stdin=text)
