"""What `netreeve baseline show` says of a namespace, on a real cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.baseline.given import Run, as_json
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

pytestmark = pytest.mark.cluster


@pytest.mark.usefixtures("dns")
def test_show_says_what_a_namespace_would_get_and_why(run: Run, namespace: str) -> None:
    code, out, err = run("show", namespace)
    assert (code, err) == (0, "")
    assert out.startswith(f"Namespace {namespace}\n")
    assert "none; it would get default-deny" in " ".join(out.split())
    assert "allow-dns     would be added" in out
    words = " ".join(out.split())
    assert "Service kube-system/kube-dns selects pods with k8s-app=kube-dns; they listen" in words
    assert "on 1053" in words
    assert "not known: no CNI plugin was recognised" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.usefixtures("dns")
def test_show_compares_with_what_is_there(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    wanted = as_json(run("show", namespace, "-o", "json"))
    assert [one["state"] for one in wanted["networkPolicies"]] == ["missing", "missing"]
    control_plane.kubectl("label", "namespace", namespace, "netreeve.io/baseline=default-deny")
    assert run("show", namespace)[0] == 1
    for one in wanted["networkPolicies"]:
        control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(one["manifest"]))
    report = as_json(answer := run("show", namespace, "-o", "json"))
    assert answer[0] == 0
    assert [one["state"] for one in report["networkPolicies"]] == ["as wanted", "as wanted"]
    assert report["namespace"]["covered"] is True
    opened: dict[str, Any] = {"spec": {"egress": [{}]}}
    control_plane.kubectl(
        "patch", "networkpolicy", "default-deny", "-n", namespace, "--type=merge",
        "-p", json.dumps(opened),
    )  # fmt: skip
    code, out, _ = run("show", namespace)
    assert code == 1
    assert "default-deny  changed" in out


def test_show_without_dns(run: Run, namespace: str) -> None:
    report = as_json(answer := run("show", namespace, "-o", "json"))
    assert answer[0] == 1
    assert [one["reason"] for one in report["problems"]] == ["DnsNotFound"]
    assert report["networkPolicies"] == []


@pytest.mark.usefixtures("dns")
def test_show_says_that_nothing_enforces(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    flannel = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "kube-flannel-ds", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": {"app": "flannel"}},
            "template": {
                "metadata": {"labels": {"app": "flannel"}},
                "spec": {"containers": [{"name": "kube-flannel", "image": "registry.example/f:1"}]},
            },
        },
    }
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(flannel))
    where = ("daemonset", "kube-flannel-ds", "-n", "kube-system")
    try:
        wait_for(lambda: run("show", namespace)[0] == 1, 10, "the DaemonSet to be scheduled")
        out = " ".join(run("show", namespace)[1].split())
        assert "Enforced no: Flannel connects pods and enforces nothing" in out
        assert "Flannel, by DaemonSet kube-system/kube-flannel-ds" in out
    finally:
        control_plane.kubectl("delete", *where)


def test_show_tells_the_status_of_the_controller_harmlessly(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    said = {
        "state": "failing",
        "reason": "WriteRefused",
        "message": "no \x1b[31mred",
        "since": "2026-01-01T00:00:00Z",
    }
    annotation = f"netreeve.io/baseline-status={json.dumps(said)}"
    control_plane.kubectl("annotate", "namespace", namespace, annotation)
    code, out, _ = run("show", namespace)
    assert code == 1
    assert "failing since 2026-01-01T00:00:00Z: no  [31mred" in " ".join(out.split(" "))
    assert "\x1b" not in out
