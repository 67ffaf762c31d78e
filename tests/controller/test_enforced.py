"""Where no CNI plugin enforces: from the DaemonSet to whoever creates a namespace."""

from collections.abc import Iterator

import pytest

from tests.controller.protected import SOON, Protected, fresh
from tests.controlplane.wait import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

LEASE = "/apis/coordination.k8s.io/v1/namespaces/netreeve/leases/netreeve-control"
DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
FLANNEL = {
    "metadata": {"name": "kube-flannel-ds"},
    "spec": {
        "selector": {"matchLabels": {"app": "flannel"}},
        "template": {
            "metadata": {"labels": {"app": "flannel"}},
            "spec": {"containers": [{"name": "kube-flannel", "image": "registry.example/f:1"}]},
        },
    },
}


@pytest.fixture
def flannel(protected: Protected) -> Iterator[None]:
    protected.api.create(DAEMON_SETS, FLANNEL)
    yield
    protected.api.delete(f"{DAEMON_SETS}/kube-flannel-ds")
    pods = "/api/v1/namespaces/kube-system/pods"
    protected.api.delete(pods, labelSelector="app=flannel", gracePeriodSeconds=0)
    wait_for(lambda: conclusion(protected) == "unknown", SOON, "the end of the plugin")


def conclusion(protected: Protected) -> str:
    """What the controller has written on its Lease."""
    annotations = protected.api.get(LEASE)["metadata"].get("annotations", {})
    return str(annotations.get("netreeve.io/cni", ""))


def warned(protected: Protected) -> str:
    """What kubectl says when a namespace is created, if nothing is stored."""
    (name,) = fresh(1, "warned")
    return protected.kubectl("create", "namespace", name, "--dry-run=server").stderr


def test_whoever_creates_a_namespace_is_warned(protected: Protected, flannel: None) -> None:
    wait_for(lambda: conclusion(protected) == "not-enforcing", SOON, "the conclusion")
    annotations = protected.api.get(LEASE)["metadata"]["annotations"]
    assert annotations["netreeve.io/cni-reason"].startswith("Flannel connects pods and enforces")
    wait_for(lambda: "baseline-enforced" in warned(protected), SOON, "the warning")
    said = warned(protected)
    assert "Warning: baseline-enforced: " in said
    assert "must be enforced: Flannel connects pods and enforces nothing" in said


def test_where_nobody_knows_nobody_is_warned(protected: Protected) -> None:
    wait_for(lambda: conclusion(protected) == "unknown", SOON, "the conclusion")
    wait_for(lambda: "baseline-enforced" not in warned(protected), SOON, "the gate to know")
