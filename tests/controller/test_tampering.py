"""Nobody takes a baseline away: the webhook denies it; while it is down, it is soon repaired."""

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.controller.control import Control
from tests.controller.protected import (
    CLIENTS,
    GENERATED,
    LABEL,
    NAMESPACES,
    POLICIES,
    SOON,
    Protected,
    fresh,
    scaled,
    webhook_down,
)
from tests.controlplane.wait import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

ROUNDS = scaled(10, 200)
REPAIRED = 5.0
OPEN = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
KIND = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}

Tamper = Callable[[Protected, str], subprocess.CompletedProcess[str]]


def delete(protected: Protected, namespace: str) -> subprocess.CompletedProcess[str]:
    return protected.kubectl(
        "delete", "networkpolicy", "default-deny", "-n", namespace, check=False
    )


def delete_all(protected: Protected, namespace: str) -> subprocess.CompletedProcess[str]:
    path = POLICIES.format(namespace)
    return protected.kubectl("delete", "--raw", path, check=False)


def patch_spec(spec: dict[str, Any]) -> Tamper:
    def tamper(protected: Protected, namespace: str) -> subprocess.CompletedProcess[str]:
        return protected.kubectl(
            "patch", "networkpolicy", "default-deny", "-n", namespace,
            "--type=merge", "-p", json.dumps({"spec": spec}), check=False,
        )  # fmt: skip

    return tamper


def apply(protected: Protected, namespace: str) -> subprocess.CompletedProcess[str]:
    body = {**KIND, "metadata": {"name": "default-deny", "namespace": namespace}, "spec": OPEN}
    arguments = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    return protected.kubectl(*arguments, stdin=json.dumps(body), check=False)


def label(*labels: str) -> Tamper:
    def tamper(protected: Protected, namespace: str) -> subprocess.CompletedProcess[str]:
        return protected.kubectl(
            "label", "networkpolicy", "default-deny", "-n", namespace, *labels, "--overwrite",
            check=False,
        )  # fmt: skip

    return tamper


ALL: dict[str, Tamper] = {
    "delete": delete,
    "deletecollection": delete_all,
    "patch to open egress": patch_spec({"egress": [{}]}),
    "patch to select nothing": patch_spec({"podSelector": {"matchLabels": {"app": "none"}}}),
    "patch to drop a direction": patch_spec({"policyTypes": ["Ingress"]}),
    "apply": apply,
    "label of another baseline": label(f"{LABEL}=other"),
    "labels off": label(f"{LABEL}-", "app.kubernetes.io/managed-by-"),
}


def specs(protected: Protected, namespace: str) -> dict[str, tuple[str, str]]:
    """What has to be as it was: spec and our labels, by name."""
    return {
        name: (json.dumps(one["spec"], sort_keys=True), json.dumps(one["metadata"].get("labels")))
        for name, one in protected.policies(namespace).items()
    }


@pytest.mark.parametrize("how", ALL)
def test_tampering_is_denied(protected: Protected, namespace: str, how: str) -> None:
    before = protected.policies(namespace)
    result = ALL[how](protected, namespace)
    assert result.returncode
    assert "baseline-guard" in result.stderr
    assert protected.policies(namespace) == before


def test_an_own_policy_that_pods_run_behind_goes_on_denying(
    protected: Protected, controller: Control
) -> None:
    """One that was there before the baseline's, as in a namespace that was adopted."""
    (name,) = fresh(1, "stand-in")
    own = {"metadata": {"name": "default-deny"},
           "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}  # fmt: skip
    with controller.frozen():
        protected.api.create(NAMESPACES, {"metadata": {"name": name}})
        protected.api.create(POLICIES.format(name), own)
    wait_for(lambda: protected.status(name).get("reason") == "NameTaken", SOON, "the status")
    for how in ("patch to open egress", "patch to select nothing", "patch to drop a direction"):
        result = ALL[how](protected, name)
        assert result.returncode, how
        assert "must go on to deny everything" in result.stderr
    assert not delete(protected, name).returncode
    protected.await_covered([name])


EDITORS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: namespace-editors}
rules: [{apiGroups: [""], resources: [namespaces], verbs: [get, patch, create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: namespace-editors}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: namespace-editors}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: namespace-editors}]
"""


@pytest.mark.parametrize("change", [f"{LABEL}-", f"{LABEL}=other"])
def test_who_may_edit_a_namespace_may_not_take_its_label(
    protected: Protected, namespace: str, change: str
) -> None:
    protected.kubectl("apply", "-f", "-", stdin=EDITORS)
    editor = protected.plane.kubeconfig_for("editor", ("namespace-editors",))

    def label(change: str) -> subprocess.CompletedProcess[str]:
        arguments = ("label", "namespace", namespace, change, "--overwrite")
        return protected.kubectl(*arguments, kubeconfig=editor, check=False)

    wait_for(lambda: not label("example.com/may=edit").returncode, SOON, "the right to edit")
    result = label(change)
    assert result.returncode
    assert "baseline-guard" in result.stderr
    assert protected.status(namespace)["state"] == "covered"


@pytest.mark.parametrize("name", ["kube-mine", "openshift-mine", "linkerd-viz"])
def test_no_name_keeps_a_new_namespace_out_of_every_baseline(
    protected: Protected, namespace: str, name: str
) -> None:
    """It takes the right to take the label off, or the label."""
    protected.kubectl("apply", "-f", "-", stdin=EDITORS)
    editor = protected.plane.kubeconfig_for("editor", ("namespace-editors",))

    def create(*more: str, **labels: str) -> str:
        metadata = {"name": name, "labels": labels}
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        arguments = ("create", "--dry-run=server", "-f", "-", *more)
        return protected.kubectl(*arguments, stdin=json.dumps(manifest), check=False).stderr

    as_editor = f"--kubeconfig={editor}"
    wait_for(lambda: "baseline-guard: metadata.name" in create(as_editor), SOON, "the denial")
    assert create(as_editor, **{LABEL: "default-deny"}) == ""
    by_administrator = create()
    assert "Warning: baseline-guard: metadata.name" in by_administrator
    assert "denied" not in by_administrator


def test_what_was_done_while_the_webhook_was_down_is_repaired(
    protected: Protected, namespace: str
) -> None:
    before = specs(protected, namespace)
    assert set(before) == GENERATED
    with webhook_down(protected):
        for how, tamper in ALL.items():
            assert not tamper(protected, namespace).returncode, how
            wait_for(
                lambda: specs(protected, namespace) == before, REPAIRED, f"the repair after {how}"
            )
    events = protected.gated.get("events", "-n", namespace)["items"]
    assert "Repaired" in {one["reason"] for one in events}


@pytest.mark.parametrize("restarted", [False, True])
def test_what_took_the_place_of_ours_is_taken_over(
    protected: Protected, controller: Control, namespace: str, restarted: bool
) -> None:
    """Rename by recreate, also while no controller runs: what was ours is known by the status."""
    before = specs(protected, namespace)
    with webhook_down(protected):
        with controller.stopped() if restarted else controller.frozen():
            assert not delete_all(protected, namespace).returncode
            for name, labels in (("default-deny", {}), ("allow-dns", {"app": "mine"})):
                metadata = {"name": name, "labels": labels}
                protected.api.create(POLICIES.format(namespace), {"metadata": metadata, **OWN})
        wait_for(controller.leads, SOON, "the controller to lead")
        wait_for(lambda: restored(protected, namespace, before), REPAIRED, "the repair")


OWN = {"spec": {"podSelector": {"matchLabels": {"app": "none"}}, "egress": [{}]}}


def restored(protected: Protected, namespace: str, before: dict[str, tuple[str, str]]) -> bool:
    """Labels that are nobody's business stay."""
    found = {name: spec for name, (spec, _) in specs(protected, namespace).items()}
    return found == {name: spec for name, (spec, _) in before.items()}


@pytest.mark.parametrize("change", [f"{LABEL}-", f"{LABEL}=other"])
def test_a_label_that_was_changed_while_the_webhook_was_down_is_restored(
    protected: Protected, namespace: str, change: str
) -> None:
    before = protected.policies(namespace)
    path = f"{NAMESPACES}/{namespace}"
    with webhook_down(protected):
        protected.kubectl("label", "namespace", namespace, change, "--overwrite")
        wait_for(
            lambda: protected.api.get(path)["metadata"]["labels"].get(LABEL) == "default-deny",
            REPAIRED,
            "the label",
        )
        protected.await_covered([namespace])
    assert protected.policies(namespace) == before
    events = protected.gated.get("events", "-n", namespace)["items"]
    assert "Relabelled" in {one["reason"] for one in events}


def test_a_namespace_made_anew_gets_a_baseline_of_its_own(protected: Protected) -> None:
    """And its end is never held up, neither by the guard nor by the controller."""
    names = fresh(ROUNDS, "round")
    for _ in range(2):
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(protected.populate, names))
        protected.await_covered(names, SOON + ROUNDS)
        for name in names:
            uid = protected.api.get(f"{NAMESPACES}/{name}")["metadata"]["uid"]
            for one in protected.policies(name).values():
                assert one["metadata"]["annotations"]["netreeve.io/namespace-uid"] == uid
        protected.forget(names)
        wait_for(lambda: gone(protected, names), SOON + 3 * ROUNDS, "the end of all namespaces")


def gone(protected: Protected, names: list[str]) -> bool:
    """Bound pods that came after their deletion have to be deleted again."""
    left = {one["metadata"]["name"] for one in protected.api.get(NAMESPACES)["items"]} & set(names)
    protected.forget(sorted(left))
    return not left
