"""The audit in the background on a real cluster: what it says, what it writes, what it asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from policies.model import Action
from tests.audit.reports.test_policyreports import CRDS
from tests.cluster.background import running
from tests.config.given import HEAD
from tests.controller.control import Control
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.audit.background.loop import Background, Plan
from webhook.audit.background.written import HASH, MOST_BYTES, MOST_REPORTS, config_map, reports
from webhook.audit.findings import Found, Report, Result
from webhook.audit.reports.policyreport import API
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.config import load, ruleset

DEV = (
    HEAD
    + """
overrides:
  - namespaceSelector: {matchLabels: {env: dev}}
    policies: {node-port: {action: Audit}}
"""
)
AGENT = "netreeve-background"
SOON = 30.0
SERVICE = ["create", "service", "nodeport", "web", "--tcp=80", "-n"]


def background(connection: Connection, home: str, plan: Plan) -> Background:
    lease = (home, "netreeve-control")
    found = Background(connection, lease, lambda: datetime.now(UTC), settle=0.2)
    found.configure(plan)
    return found


@pytest.fixture
def home(control_plane: ControlPlane, namespace: str) -> str:
    """A namespace that is the controller's own."""
    return namespace


@pytest.fixture
def shop(control_plane: ControlPlane, home: str) -> Iterator[str]:
    """Another namespace."""
    name = f"{home}-shop"
    control_plane.kubectl("create", "namespace", name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def audit(
    control_plane: ControlPlane, home: str, request: pytest.FixtureRequest
) -> Iterator[Background]:
    """Running, with an interval of a second, or what the test asks for."""
    source = Kubeconfig(str(control_plane.kubeconfig))
    connection = Connection(source, user_agent=AGENT)
    found = background(
        connection, home, Plan(ruleset(load(DEV)), getattr(request, "param", 1.0), "auto")
    )
    with running(connection, found.lead):
        wait_for(lambda: found.completed, SOON, "the first report")
        yield found


def of(plane: ControlPlane, home: str, namespace: str) -> list[dict[str, Any]]:
    """What the ConfigMap says of a namespace."""
    text = plane.kubectl("get", "configmap", "netreeve-audit", "-n", home, "-o", "json").stdout
    report = json.loads(json.loads(text)["data"]["report.json"])
    return [one for one in report["objects"] if one["namespace"] == namespace]


def asked(plane: ControlPlane, start: int, verbs: set[str]) -> list[dict[str, Any]]:
    return [
        event
        for event in plane.audit_events(start)
        if event.get("userAgent") == AGENT and event["verb"] in verbs
    ]


@pytest.mark.cluster
def test_what_changes_is_in_the_next_report(
    control_plane: ControlPlane, audit: Background, home: str, shop: str
) -> None:
    control_plane.kubectl(*SERVICE, shop)
    (found,) = wait_for(lambda: of(control_plane, home, shop), SOON, "the Service in the report")
    assert (found["kind"], found["name"], found["status"]) == ("Service", "web", "denied")
    assert audit.findings()[("node-port", "Deny")] >= 1
    control_plane.kubectl("delete", "service", "web", "-n", shop)
    wait_for(lambda: not of(control_plane, home, shop), SOON, "a report without it")


@pytest.mark.cluster
def test_labels_of_the_namespace_are_taken_up(
    control_plane: ControlPlane, audit: Background, home: str, shop: str
) -> None:
    control_plane.kubectl(*SERVICE, shop)
    wait_for(lambda: of(control_plane, home, shop), SOON, "the Service in the report")
    control_plane.kubectl("label", "namespace", shop, "env=dev")

    def audited() -> bool:
        (found,) = of(control_plane, home, shop)
        return str(found["status"]) == "allowed"

    wait_for(audited, SOON, "the verdict by the new label")


@pytest.mark.cluster
@pytest.mark.parametrize("audit", [3600.0], indirect=True)  # other tests leave namespaces that end
def test_where_nothing_changes_nothing_is_judged_asked_or_written(
    control_plane: ControlPlane, audit: Background, home: str, shop: str
) -> None:
    control_plane.kubectl(*SERVICE, shop)
    wait_for(lambda: of(control_plane, home, shop), SOON, "the Service in the report")
    judged, start = audit.judged, control_plane.audit_position()
    control_plane.kubectl("annotate", "service", "web", "-n", shop, "note=hello")
    wait_for(lambda: audit.judged > judged, SOON, "the annotated Service to be judged")
    # The next change of a verdict comes after whatever the one before has caused.
    control_plane.kubectl("create", "service", "nodeport", "second", "--tcp=81", "-n", shop)
    wait_for(lambda: len(of(control_plane, home, shop)) == 2, SOON, "the second Service")
    writes = asked(control_plane, start, {"create", "patch", "update"})
    hashes = [one["requestObject"]["metadata"]["annotations"][HASH] for one in writes]
    assert hashes
    assert len(set(hashes)) == len(hashes)
    assert asked(control_plane, start, {"list"}) == []
    secret = f"/api/v1/namespaces/{home}/secrets/netreeve-stamp"
    assert {one["requestURI"] for one in asked(control_plane, start, {"get"})} <= {secret}


@pytest.mark.cluster
def test_reports_in_namespaces_are_written_and_emptied(
    control_plane: ControlPlane, home: str, shop: str
) -> None:
    plane = control_plane
    plane.kubectl("apply", "--server-side", "-f", str(CRDS))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))
    get = ("get", "policyreports.wgpolicyk8s.io", "netreeve-audit", "-n", shop, "-o", "json")

    def summary() -> dict[str, int]:
        text = plane.kubectl(*get, check=False).stdout
        found: dict[str, int] = json.loads(text)["summary"] if text else {}
        return found

    connection = Connection(Kubeconfig(str(plane.kubeconfig)), user_agent=AGENT)
    plan = Plan(ruleset(load(HEAD)), 1.0, "wgpolicyk8s")
    audit = background(connection, home, plan)
    try:
        plane.kubectl(*SERVICE, shop)
        with running(connection, audit.lead):
            wait_for(lambda: summary().get("fail") == 1, SOON, "a report with a failure")
        plane.kubectl("delete", "service", "web", "-n", shop)
        # Another process knows what the first has written.
        again = Connection(Kubeconfig(str(plane.kubeconfig)), user_agent=AGENT)
        other = background(again, home, plan)
        with running(again, other.lead):
            wait_for(lambda: summary().get("fail") == 0, SOON, "an empty report")
    finally:
        plane.kubectl("delete", "-f", str(CRDS))


def result(number: int, *, text: str = "must not be NodePort") -> Result:
    return Result(
        file="",
        line=0,
        apiVersion="v1",
        kind="Service",
        namespace=f"shop-{number}",
        name=f"web-{number}",
        status="denied",
        findings=(Found("node-port", Action.DENY, "spec.type", text, "use ClusterIP", id="1"),),
    )


def test_the_config_map_is_bounded_and_says_what_it_left_out() -> None:
    many = Report(tuple(result(one, text="x" * 1000) for one in range(5000)))
    found = config_map(many, "netreeve")
    text = found["data"]["report.json"]
    assert len(text) <= MOST_BYTES
    shown = len(json.loads(text)["objects"])
    assert shown > 100
    assert int(found["data"]["leftOut"]) == 5000 - shown
    assert json.loads(text)["summary"]["denied"] == 5000


def test_reports_are_bounded_and_their_hash_tells_them_apart() -> None:
    many = [*reports(Report(tuple(map(result, range(MOST_REPORTS + 5)))), API)]
    assert len(many) == MOST_REPORTS
    (one,), (same,), (other,) = (
        [*reports(Report((result(1, text=text),)), API)] for text in ("a", "a", "b")
    )
    assert one == same
    assert one["metadata"]["annotations"][HASH] != other["metadata"]["annotations"][HASH]


@pytest.mark.cluster
def test_the_controller_audits_if_it_is_configured_to(
    control_plane: ControlPlane, home: str, shop: str, tmp_path: Path
) -> None:
    config = tmp_path / "gate.yaml"
    config.write_text(f"{HEAD}stage: audit\naudit: {{intervalSeconds: 60}}\n")
    control_plane.kubectl(*SERVICE, shop)
    with ExitStack() as stack:
        control = Control(
            tmp_path,
            control_plane.kubeconfig,
            stack,
            config=config,
            lease=f"{home}/netreeve-control",
        )
        control.start()

        def denied() -> float:
            key = 'netreeve_audit_findings{action="Deny",policy="node-port"}'
            return control.metrics().get(key, 0)

        wait_for(denied, SOON, "the finding in the metrics")
        assert of(control_plane, home, shop)
        assert "web" not in control.scrape()
