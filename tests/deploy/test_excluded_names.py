"""A namespace that would never be judged is not for everybody to create.

The gate is not asked about it, so the API server itself refuses, by a policy of the chart.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial

import pytest

from policies.namespaces.system import SYSTEM_NAMESPACES
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.deploy.by_kubectl import stage_file
from tests.helm.render import objects, only

pytestmark = pytest.mark.cluster
REFUSED = "must not be called nsx-system"
ALWAYS_THERE = {"kube-system", "kube-public", "kube-node-lease"}
OPERATOR = ("--as=system:serviceaccount:tigera-operator:tigera-operator",
            "--as-group=system:serviceaccounts:tigera-operator",
            "--as-group=system:authenticated")  # fmt: skip
STRANGER = ("--as=system:serviceaccount:shop:ci", "--as-group=system:serviceaccounts:shop",
            "--as-group=system:authenticated")  # fmt: skip


@pytest.fixture(scope="module")
def crowded(installed: ControlPlane) -> Iterator[ControlPlane]:
    """Everybody in it may create namespaces."""
    role = ("clusterrole", "namespaces", "--verb=create,patch", "--resource=namespaces")
    installed.kubectl("create", *role)
    everybody = ("clusterrolebinding", "namespaces", "--clusterrole=namespaces")
    installed.kubectl("create", *everybody, "--group=system:authenticated")
    create = partial(creates, installed, "nsx-system", "--as=tina")
    wait_for(lambda: REFUSED in create().stderr, 20, "the policy to be in force")
    yield installed
    for kind in ("clusterrolebinding", "clusterrole"):
        installed.kubectl("delete", kind, "namespaces")


def creates(cluster: ControlPlane, name: str, *who: str) -> subprocess.CompletedProcess[str]:
    """Somebody a namespace, as a dry run; never raises."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    dry = ("create", "--dry-run=server", "-f", "-")
    return cluster.kubectl(*dry, *who, stdin=json.dumps(body), check=False)


@pytest.fixture
def right(crowded: ControlPlane, request: pytest.FixtureRequest) -> Iterator[None]:
    """Of tina, to exempt; from what the parameter names only."""
    rule = {"apiGroups": ["netreeve.io"], "resources": ["policies"], "verbs": ["exempt"],
            **({"resourceNames": request.param} if request.param else {})}  # fmt: skip
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "exempting"}, "rules": [rule]}  # fmt: skip
    crowded.kubectl("create", "-f", "-", stdin=json.dumps(body))
    binding = ("clusterrolebinding", "exempting", "--clusterrole=exempting", "--user=tina")
    crowded.kubectl("create", *binding)
    yield
    for kind in ("clusterrolebinding", "clusterrole"):
        crowded.kubectl("delete", kind, "exempting")


def test_who_may_create_namespaces_may_not_create_one_of_these(crowded: ControlPlane) -> None:
    done = creates(crowded, "nsx-system", "--as=tina")
    assert done.returncode == 1
    assert "the gate judges nothing in a namespace of this name" in done.stderr
    assert "has the verb exempt on policies.netreeve.io" in done.stderr
    assert creates(crowded, "shop", "--as=tina").returncode == 0


def test_by_apply_it_is_refused_as_well(crowded: ControlPlane) -> None:
    body = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nsx-system"}})
    apply = ("apply", "--server-side", "--as=tina", "-f", "-")
    assert REFUSED in crowded.kubectl(*apply, stdin=body, check=False).stderr


@pytest.mark.parametrize("right", [[]], indirect=True, ids=["everything"])
def test_who_may_exempt_from_everything_may(crowded: ControlPlane, right: None) -> None:
    assert creates(crowded, "nsx-system", "--as=tina").returncode == 0


@pytest.mark.parametrize("right", [["node-port"]], indirect=True, ids=["node-port"])
def test_who_may_exempt_from_one_policy_may_not(crowded: ControlPlane, right: None) -> None:
    assert REFUSED in creates(crowded, "nsx-system", "--as=tina").stderr


def test_an_administrator_may(crowded: ControlPlane) -> None:
    assert creates(crowded, "nsx-system").returncode == 0


def test_an_operator_in_one_of_them_makes_the_others(crowded: ControlPlane) -> None:
    """The Tigera operator creates calico-system, and is no cluster-admin."""
    assert creates(crowded, "calico-system", *OPERATOR).returncode == 0
    assert "must not be called" in creates(crowded, "calico-system", *STRANGER).stderr


def test_what_is_always_there_is_said_to_be_there(crowded: ControlPlane) -> None:
    """So that `helm install --create-namespace` goes on into kube-system."""
    for name in ALWAYS_THERE:
        assert "already exists" in creates(crowded, name, "--as=tina").stderr


def test_every_excluded_name_is_meant() -> None:
    found = objects({"config": {"excludedNamespaces": ["longhorn-system"]}}, namespace="gate")
    policy = only(found, "ValidatingAdmissionPolicy", "netreeve-excluded")["spec"]
    (condition,) = policy["matchConditions"]
    names = json.loads(condition["expression"].partition(" in ")[2].replace("'", '"'))
    assert set(names) == (SYSTEM_NAMESPACES | {"gate", "longhorn-system"}) - ALWAYS_THERE


@pytest.mark.parametrize(("stage", "said"), [("warn", "Warning: "), ("audit", "")])
def test_before_enforce_nobody_is_refused(crowded: ControlPlane, stage: str, said: str) -> None:
    crowded.kubectl("apply", "-f", stage_file(stage))

    def goes_through() -> bool:
        done = creates(crowded, "nsx-system", "--as=tina")
        assert done.returncode == 0 or REFUSED in done.stderr
        return done.returncode == 0 and (REFUSED in done.stderr) is bool(said)

    try:
        wait_for(goes_through, 20, f"the stage {stage}")
    finally:
        crowded.kubectl("apply", "-f", stage_file("enforce"))
        create = partial(creates, crowded, "nsx-system", "--as=tina")
        wait_for(lambda: create().returncode == 1, 20, "the stage enforce")
