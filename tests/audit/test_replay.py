"""An audit log as a real API server writes it, through the gate."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.config.given import HEAD
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.audit.findings import Report
from webhook.audit.replay import NothingJudgedError, replay
from webhook.cli import main
from webhook.config import load, ruleset

Logged = Callable[[int], Path]

SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
}


def event(verb: str, body: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "stage": "ResponseComplete",
        "verb": verb,
        "requestURI": "/api/v1/namespaces/shop/services",
        "user": {"username": "ann", "groups": ["system:authenticated"]},
        "objectRef": {
            "resource": "services",
            "namespace": "shop",
            "name": "web",
            "apiVersion": "v1",
        },
        "responseStatus": {"code": 201},
        "requestReceivedTimestamp": "2026-11-14T09:30:00.000000Z",
        **({"requestObject": body, "responseObject": body} if body else {}),
        **more,
    }


def played(*events: dict[str, Any] | bytes, **more: Any) -> Report:
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in events]
    return replay(lines, ruleset(load(HEAD)), "audit.log", **more)


def statuses(report: Report) -> list[str]:
    return [one.status for one in report.results]


def test_an_update_is_forgiven_what_the_log_shows_to_be_old() -> None:
    labelled = {**SERVICE, "metadata": {**SERVICE["metadata"], "labels": {"a": "b"}}}
    report = played(event("create", SERVICE), event("update", labelled))
    assert statuses(report) == ["denied", "preexisting"]
    assert [one.asked.uncertain for one in report.results if one.asked] == [False, False]


def test_an_update_of_what_was_not_seen_is_marked() -> None:
    (result,) = played(event("update", SERVICE)).results
    assert result.asked
    assert result.asked.uncertain


def test_what_was_deleted_or_forgotten_is_no_excuse() -> None:
    first, gone = event("create", SERVICE), event("delete", None)
    assert statuses(played(first, gone, event("create", SERVICE))) == ["denied", "denied"]
    (_, second) = played(first, event("update", SERVICE), most=100).results
    assert second.asked
    assert second.asked.uncertain


def test_what_was_refused_or_only_tried_does_not_count() -> None:
    refused = event("create", SERVICE, responseStatus={"code": 409})
    tried = event("create", SERVICE, requestURI="/api/v1/namespaces/shop/services?dryRun=All")
    begun = event("create", SERVICE, stage="RequestReceived")
    with pytest.raises(NothingJudgedError, match="holds 3 events and none that can be judged"):
        played(refused, tried, begun)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (
            b"apiVersion: v1\nkind: Pod\n",
            "2 without, the first of which is line 1, which is no event",
        ),
        (json.dumps(SERVICE).encode(), "which is no audit event but Service"),
        (json.dumps(event("create", None)).encode(), "holds 1 event and none that can be judged"),
        (json.dumps(event("get", SERVICE)).encode(), "holds 1 event and none that can be judged"),
    ],
)
def test_a_file_without_events_to_judge_is_no_clean_result(
    text: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "audit.log"
    file.write_bytes(text)
    assert main(["audit", "--events", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"netreeve: {file}: " in err
    assert said in err


def test_a_patch_without_its_outcome_is_counted() -> None:
    patch = event("patch", None, requestObject={"spec": {"type": "NodePort"}})
    report = played(event("create", SERVICE), patch)
    assert (len(report.results), report.unseen) == (1, 1)
    assert statuses(played({**patch, "responseObject": SERVICE})) == ["denied"]


def test_who_was_impersonated_is_who_asked() -> None:
    (result,) = played(event("create", SERVICE, impersonatedUser={"username": "bob"})).results
    assert result.asked
    assert result.asked.user == "bob"


@pytest.mark.parametrize(
    ("until", "said"),
    [("2026-11-20", "claims to be exempt until 2026-11-20, 6 days left"),
     ("2026-11-13", "its exemption does not count: it ended with 2026-11-13")],
)  # fmt: skip
def test_an_exemption_stands_as_it_did_at_the_time(until: str, said: str) -> None:
    claim = {"netreeve.io/exempt": "node-port", "netreeve.io/exempt-until": until,
             "netreeve.io/exempt-reason": "The old client needs a port."}  # fmt: skip
    claiming = {**SERVICE, "metadata": {**SERVICE["metadata"], "annotations": claim}}
    (result,) = played(event("create", claiming)).results
    found = next(one for one in result.findings if one.policy == "node-port")
    assert said in found.fix


def test_lines_that_are_no_events_are_told_and_the_rest_judged() -> None:
    report = played(b"{", b"\n", b'{"kind": "List"}', b"\xff", event("create", SERVICE))
    assert [one.line for one in report.unreadable] == [1, 3, 4]
    assert statuses(report) == ["denied"]
    assert report.exit_code == 2


@pytest.fixture
def logged(control_plane: ControlPlane, tmp_path: Path) -> Logged:
    """What the API server has logged from a position on, in a file."""

    def write(start: int) -> Path:
        def done() -> list[dict[str, Any]]:
            events = list(control_plane.audit_events(start))
            return events if any(one["verb"] == "delete" for one in events) else []

        events = wait_for(done, 10, "the last event")
        file = tmp_path / "audit.log.gz"
        file.write_bytes(gzip.compress("\n".join(map(json.dumps, events)).encode()))
        return file

    return write


@pytest.mark.cluster
def test_a_real_log(
    control_plane: ControlPlane,
    namespace: str,
    logged: Logged,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = control_plane.audit_position()
    kubectl = control_plane.kubectl
    kubectl("create", "service", "nodeport", "web", "--tcp=80", "-n", namespace)
    kubectl("label", "service", "web", "-n", namespace, "a=b")
    kubectl("create", "service", "clusterip", "plain", "--tcp=80", "-n", namespace)
    kubectl("patch", "service", "plain", "-n", namespace, "-p", '{"spec":{"type":"NodePort"}}')
    kubectl(
        "create", "service", "loadbalancer", "lb", "--tcp=80", "-n", namespace, "--dry-run=server"
    )
    kubectl("delete", "service", "web", "-n", namespace)
    assert main(["audit", "--events", str(logged(start)), "-o", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["judged"]["source"], report["judged"]["profile"]) == ("events", "standard")
    assert len(report["judged"]["paths"]) == 1
    found = [
        (one["name"], one["asked"]["verb"], one["status"], one["asked"]["user"])
        for one in report["objects"]
        if one["namespace"] == namespace
    ]
    assert found == [
        ("web", "create", "denied", "kubernetes-admin"),
        ("web", "patch", "preexisting", "kubernetes-admin"),
        ("plain", "patch", "denied", "kubernetes-admin"),
    ]
    main(["audit", "--events", str(logged(start))])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["2", "denied", "kubernetes-admin", namespace] in lines
    assert ["1", "pre-existing", "kubernetes-admin", namespace] in lines
