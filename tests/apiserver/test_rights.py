"""A right in RBAC lifts a denial: as its user sees it, with a real API server and server."""

from __future__ import annotations

import subprocess
import urllib.request

import pytest

from tests.apiserver.gated import Gated
from tests.controlplane.wait import wait_for

pytestmark = pytest.mark.cluster

# Both may change namespaces; one of them may exempt as well.
RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: namespace-editors}
rules: [{apiGroups: [""], resources: [namespaces], verbs: [get, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: namespace-editors}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: namespace-editors}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: anna}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: baseline-exempters}
rules:
- {apiGroups: [netreeve.io], resources: [policies], resourceNames: [baseline], verbs: [exempt]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: baseline-exempters}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: baseline-exempters}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: anna}]
"""
ACCESS_REVIEW = {
    "apiVersion": "authorization.k8s.io/v1",
    "kind": "SubjectAccessReview",
    "spec": {
        "user": "anna",
        "resourceAttributes": {
            "group": "netreeve.io", "resource": "policies", "verb": "exempt", "name": "baseline"
        },
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def rights(gated: Gated) -> None:
    gated.kubectl("apply", "-f", "-", stdin=RIGHTS)
    allowed = ("-o", "jsonpath={.status.allowed}")
    wait_for(lambda: gated.create(ACCESS_REVIEW, *allowed).stdout == "true", 10, "the rights")


def unlabel(gated: Gated, namespace: str, user: str) -> subprocess.CompletedProcess[str]:
    """Take the baseline from a namespace, as a user."""
    change = ("label", "namespace", namespace, "netreeve.io/baseline-")
    return gated.kubectl(*change, f"--as={user}", check=False)


def questions(gated: Gated) -> float:
    """How many the server has asked."""
    url = f"http://127.0.0.1:{gated.gate.health}/metrics"
    with urllib.request.urlopen(url, timeout=5) as response:
        lines = response.read().decode().splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith("netreeve_access_asked_total"))
    return float(value)


@pytest.mark.usefixtures("rights")
def test_who_may_exempt_is_warned_where_others_are_denied(gated: Gated, namespace: str) -> None:
    gated.kubectl("label", "namespace", namespace, "netreeve.io/baseline=default-deny")
    labels = gated.get("namespace", namespace)["metadata"]["labels"]
    before = questions(gated)

    denied = unlabel(gated, namespace, "jane")
    assert denied.returncode == 1
    assert "must stay default-deny" in denied.stderr
    assert "ask someone who may exempt policies.netreeve.io/baseline" in denied.stderr
    assert "could not be asked" not in denied.stderr
    assert gated.get("namespace", namespace)["metadata"]["labels"] == labels

    lifted = unlabel(gated, namespace, "anna")
    assert lifted.returncode == 0, lifted.stderr
    assert "Warning: baseline-guard: metadata.labels[netreeve.io/baseline]" in lifted.stderr
    assert "(allowed: you may exempt it)" in lifted.stderr
    assert "netreeve.io/baseline" not in gated.get("namespace", namespace)["metadata"]["labels"]
    assert questions(gated) == before + 2
