"""A release of the chart from `helm install` to `helm uninstall`, objects only: nothing runs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.helm.build import CHART, output
from tests.helm.render import Object

pytestmark = pytest.mark.cluster
SHELLS = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
MARKER = {
    "name": "marker.example.org",
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "clientConfig": {"url": "https://127.0.0.1:1/"},
    "failurePolicy": "Ignore",
    "rules": [],
}


@pytest.fixture
def namespace(cluster: ControlPlane) -> Iterator[str]:
    name = f"gate-{uuid.uuid4().hex[:6]}"
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def shells(cluster: ControlPlane) -> list[Object]:
    found = []
    for kind in SHELLS:
        text = cluster.kubectl("get", kind, "00-netreeve", "-o", "json").stdout
        found.append(json.loads(text))
    return found


def fill(cluster: ControlPlane) -> None:
    """As the controller does, under its own name."""
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        shell = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": "00-netreeve"},
            "webhooks": [MARKER],
        }
        apply = ("apply", "--server-side", "--field-manager=netreeve-webhooks", "-f", "-")
        cluster.kubectl(*apply, stdin=json.dumps(shell))


def test_a_release_lives_and_leaves_what_protects(
    cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    helm = partial(output, home=tmp_path, kubeconfig=cluster.kubeconfig)
    at = ("--namespace", namespace)
    stage = ("--set", "stage=warn")
    told = helm("install", "gate", CHART, *at, "--create-namespace", *stage)
    assert f"in the namespace {namespace}, stage warn" in told
    assert "--set stage=enforce" in told
    assert all("webhooks" not in one for one in shells(cluster))
    fill(cluster)
    before = shells(cluster)

    helm("upgrade", "gate", CHART, *at, "--set", "stage=enforce")
    config = ("get", "configmap", "netreeve-config", "-n", namespace, "-o", "yaml")
    assert "stage: enforce" in cluster.kubectl(*config).stdout
    for old, new in zip(before, shells(cluster), strict=True):
        assert new["webhooks"] == old["webhooks"]
        assert new["metadata"]["generation"] == old["metadata"]["generation"]

    helm("rollback", "gate", "1", *at)
    assert "stage: warn" in cluster.kubectl(*config).stdout
    assert [one["webhooks"] for one in shells(cluster)] == [one["webhooks"] for one in before]

    baseline = manifest_of_a_baseline()
    cluster.kubectl("apply", "-f", "-", "-n", "default", stdin=json.dumps(baseline))
    start = cluster.audit_position()
    helm("uninstall", "gate", *at)
    assert first_deletions(cluster, start, 2) == set(SHELLS)
    for kind in SHELLS:
        gone = cluster.kubectl("get", kind, "00-netreeve", "--ignore-not-found")
        assert gone.stdout == ""
    kept = cluster.kubectl("get", "networkpolicy", "default-deny", "-n", "default")
    assert kept.returncode == 0
    left = cluster.kubectl("get", "all,cm,netpol,pdb,sa", "-n", namespace, "-o", "name").stdout
    assert "netreeve" not in left
    cluster.kubectl("delete", "networkpolicy", "default-deny", "-n", "default")


def manifest_of_a_baseline() -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "netreeve", "netreeve.io/baseline": "default-deny"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "default-deny", "labels": labels},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }


def first_deletions(cluster: ControlPlane, start: int, count: int) -> set[str]:
    """The resources of the first objects of the release that were deleted, in the audit log."""

    def found() -> list[str]:
        seen = [
            event["objectRef"]["resource"]
            for event in cluster.audit_events(start)
            if event["verb"] == "delete" and event["user"]["username"] == "kubernetes-admin"
            and event["stage"] == "ResponseComplete"
        ]  # fmt: skip
        return seen if len(seen) > 10 else []

    return set(wait_for(found, 20, "the deletions of Helm")[:count])
