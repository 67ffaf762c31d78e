"""`netreeve baseline remove` with a gate in front: who may, and what nobody may."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller.protected import (
    GENERATED,
    LABEL,
    NAMESPACES,
    SOON,
    Protected,
    configured,
)
from tests.controlplane.wait import wait_for
from webhook.cli import main

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SAME_NAMESPACE = {"baselines": {"default-deny": {"allow": {"sameNamespace": True}}}}
ROLES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: removers}
rules:
  - apiGroups: ["", apps, batch, networking.k8s.io, discovery.k8s.io, coordination.k8s.io,
      gateway.networking.k8s.io]
    resources: ["*"]
    verbs: [get, list]
  - {apiGroups: [networking.k8s.io], resources: [networkpolicies], verbs: [delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: exempters}
rules:
  - {apiGroups: [netreeve.io], resources: [policies], resourceNames: [baseline], verbs: [exempt]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: removers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: removers}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: removers}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: exempters}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: exempters}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: exempters}]
"""


@pytest.fixture
def roles(protected: Protected) -> Iterator[None]:
    protected.kubectl("apply", "-f", "-", stdin=ROLES)
    yield
    protected.kubectl("delete", "-f", "-", stdin=ROLES)


def remove(protected: Protected, namespace: str, *groups: str) -> int:
    """As somebody nobody has been asked about before, since the gate remembers answers."""
    user = protected.plane.kubeconfig_for(f"user-{uuid.uuid4().hex[:6]}", groups)
    given = ("--yes", "--config", str(protected.config), "--kubeconfig", str(user))
    return main(["baseline", "remove", namespace, *given])


def delete(
    protected: Protected, namespace: str, name: str, user: Path
) -> subprocess.CompletedProcess[str]:
    return protected.kubectl(
        "delete", "networkpolicy", name, "-n", namespace, kubeconfig=user, check=False
    )


@pytest.mark.usefixtures("roles")
def test_what_the_namespace_has_left_behind_goes_with_the_right_to_it(
    protected: Protected, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    protected.api.patch(f"{NAMESPACES}/{namespace}", {"metadata": {"labels": {LABEL: None}}})
    wait_for(lambda: not protected.status(namespace), SOON, "the release")
    assert remove(protected, namespace, "removers") == 2
    said = capsys.readouterr().err
    assert "baseline-guard" in said
    assert "ask someone who may exempt policies.netreeve.io/baseline" in said
    assert set(protected.policies(namespace)) == GENERATED
    assert remove(protected, namespace, "removers", "exempters") == 0
    assert protected.policies(namespace) == {}


@pytest.mark.usefixtures("roles")
def test_a_preset_that_was_dropped_goes_and_what_is_wanted_stays(
    protected: Protected, namespace: str
) -> None:
    allowed = {*GENERATED, "allow-same-namespace"}
    with configured(protected, SAME_NAMESPACE):
        wait_for(lambda: set(protected.policies(namespace)) == allowed, SOON, "the new policy")
    wait_for(lambda: protected.status(namespace).get("reason") == "LeftInPlace", SOON, "the status")
    user = protected.plane.kubeconfig_for("keeper", ("removers", "exempters"))
    for essential in ("default-deny", "allow-dns"):
        assert "must not be deleted" in delete(protected, namespace, essential, user).stderr
    assert remove(protected, namespace, "removers", "exempters") == 0
    assert set(protected.policies(namespace)) == GENERATED
    protected.await_covered([namespace])
    wait_for(lambda: protected.status(namespace)["reason"] == "Covered", SOON, "the status")
