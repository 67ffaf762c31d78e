"""``netreeve audit`` on a real cluster, whose controllers make the pods of the workloads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policies.network_policies.managed import BASELINE
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cli import main
from webhook.cluster.objects import CNI, CNI_REASON

pytestmark = pytest.mark.cluster

OBJECTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge}
spec:
  replicas: 3
  selector: {matchLabels: {app: edge}}
  template:
    metadata: {labels: {app: edge}}
    spec: {hostNetwork: true, containers: [{name: main, image: registry.example/edge:1}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: main
          image: registry.example/once:1
          securityContext: {capabilities: {add: [NET_ADMIN]}}
---
apiVersion: v1
kind: Service
metadata: {name: frontend}
spec: {type: NodePort, selector: {app: edge}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: plain, labels: {app: plain}}
spec: {containers: [{name: main, image: registry.example/plain:1}]}
"""
Audit = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def audit(control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]) -> Audit:
    """Runs the command and gives its exit code and its JSON."""

    def run(*args: str, kubeconfig: object = None) -> tuple[int, dict[str, Any]]:
        where = str(kubeconfig or control_plane.kubeconfig)
        capsys.readouterr()
        code = main(["audit", "-o", "json", "--kubeconfig", where, *args])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def running(control_plane: ControlPlane, namespace: str) -> str:
    """A namespace in which the controllers have made all pods."""
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=OBJECTS)

    def pods() -> bool:
        listed = control_plane.kubectl("get", "pods", "-n", namespace, "-o", "name").stdout
        return len(listed.split()) == 5

    wait_for(pods, 30, "the pods of the workloads")
    return namespace


def of(report: dict[str, Any], namespace: str) -> dict[str, dict[str, Any]]:
    """The results of a namespace by kind and name."""
    return {
        f"{one['kind']}/{one['name']}": one
        for one in report["objects"]
        if one["namespace"] == namespace
    }


def test_pods_count_with_what_they_come_from(audit: Audit, running: str) -> None:
    code, report = audit("-n", running)
    found = of(report, running)
    assert code == 1
    edge, once = found["Deployment/edge"], found["Job/once"]
    assert (edge["status"], edge["folded"]) == ("denied", 4)  # a ReplicaSet and three pods
    assert (once["status"], once["folded"]) == ("warned", 1)
    assert found["Service/frontend"]["status"] == "denied"
    assert found["Pod/plain"]["status"] == "allowed"
    assert not [one for one in found if one.startswith(("ReplicaSet", "Pod/edge", "Pod/once"))]


def test_a_pod_shows_what_its_template_has_not(
    audit: Audit, control_plane: ControlPlane, running: str
) -> None:
    listed = control_plane.kubectl("get", "pods", "-n", running, "-l", "app=edge", "-o", "name")
    pod = listed.stdout.split()[0].removeprefix("pod/")
    body = {
        "name": "debug",
        "image": "registry.example/debug:1",
        "securityContext": {"capabilities": {"add": ["NET_RAW"]}},
    }
    control_plane.kubectl(
        "patch", "pod", pod, "-n", running, "--subresource=ephemeralcontainers",
        "-p", json.dumps({"spec": {"ephemeralContainers": [body]}}),
    )  # fmt: skip
    _, report = audit("-n", running)
    found = of(report, running)
    (finding,) = found[f"Pod/{pod}"]["findings"]
    assert finding["policy"] == "net-capabilities"
    assert "ephemeralContainers" in finding["field"]
    assert found["Deployment/edge"]["folded"] == 3


def test_an_ordinary_cluster_is_clean(audit: Audit) -> None:
    """What the control plane itself writes is no finding, its endpoints included."""
    _, report = audit("--profile", "strict")
    own = [one for one in report["objects"] if one["namespace"] in ("default", "kube-system", "")]
    assert own
    assert [one for one in own if one["findings"]] == []


def test_the_report_names_the_cluster_and_the_moment(
    audit: Audit, control_plane: ControlPlane, namespace: str
) -> None:
    _, report = audit("-n", namespace, "--as-of", "2027-03-31", "--profile", "strict")
    judged = report["judged"]
    assert judged["source"] == "cluster"
    view = ("config", "view", "--minify", "-o")
    address = control_plane.kubectl(*view, "jsonpath={.clusters[0].cluster.server}").stdout
    context = control_plane.kubectl(*view, "jsonpath={.current-context}").stdout
    assert context
    assert (judged["cluster"], judged["context"]) == (address, context)
    assert (judged["namespace"], judged["profile"]) == (namespace, "strict")
    assert judged["asOf"] == "2027-03-31T00:00:00Z"
    assert judged["time"] != judged["asOf"]


@pytest.fixture
def viewer(control_plane: ControlPlane, running: str) -> Path:
    """The kubeconfig of somebody who may view one namespace."""
    control_plane.kubectl(
        "create", "rolebinding", "viewer", "-n", running, "--clusterrole=view", "--user=viewer"
    )
    return control_plane.kubeconfig_for("viewer")


def test_what_may_not_be_read_is_named_and_the_rest_judged(
    audit: Audit, running: str, viewer: Path
) -> None:
    code, report = audit("-n", running, kubeconfig=viewer)
    assert code == 2
    assert {one["file"]: one["message"] for one in report["unreadable"]} == {
        "nodes": "you may not list nodes in the whole cluster, so load-balancer accepts what any "
        "cloud takes for internal, and endpoint-slices knows no address of a node: both may find "
        "less than the gate does",
        "podtemplates": f"you may not list podtemplates in namespace {running}, "
        "so none were judged",
    }
    found = of(report, running)
    assert found["Service/frontend"]["status"] == "denied"
    assert f"Namespace/{running}" in {f"{one['kind']}/{one['name']}" for one in report["objects"]}


def test_a_missing_right_is_told_once_and_what_would_allow_it(
    control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    where = str(control_plane.kubeconfig_for("nobody-in-particular"))
    assert main(["audit", "--kubeconfig", where]) == 2
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert (
        "cannot read deployments.apps: you may not list deployments.apps in the whole cluster, "
        in out
    )
    told = [line for line in lines if line.startswith("cannot read")]
    assert len(told) == len({line.split(":")[0] for line in told}) >= 15
    assert "/" not in "".join(told)
    (remedy,) = err.splitlines()
    create = remedy.partition("kubectl ")[2].split()
    made = control_plane.kubectl(*create, "--dry-run=server", "-o", "json").stdout
    allowed = {one for rule in json.loads(made)["rules"] for one in rule["resources"]}
    assert {"nodes", "namespaces", "pods", "deployments", "networkpolicies"} <= allowed


def test_the_map_of_one_namespace_takes_no_more_than_rights_in_it(
    control_plane: ControlPlane, running: str, viewer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["exposure", "-n", running, "-o", "json", "--kubeconfig"]
    assert main([*where, str(control_plane.kubeconfig)]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert main([*where, str(viewer)]) == 2
    part = json.loads(capsys.readouterr().out)
    assert whole["ways"]
    assert part["ways"] == whole["ways"]
    assert part["workloads"] == whole["workloads"]
    missing = {one["path"]: one["message"] for one in part["unread"]}
    assert missing["nodes"] == "you may not list nodes in the whole cluster"
    assert missing["pods"] == (
        f"you may not list pods in the whole cluster, only in namespace {running}"
    )
    assert missing["namespaces"] == (
        f"you may not list namespaces in the whole cluster, only get namespaces/{running}"
    )


def test_what_the_controller_knows_of_the_network_counts(
    audit: Audit, control_plane: ControlPlane, namespace: str
) -> None:
    """As the gate and the audit in the background know it."""
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": "netreeve-control",
            "namespace": namespace,
            "annotations": {CNI: "not-enforcing", CNI_REASON: "flannel enforces nothing"},
        },
    }
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(lease))
    control_plane.kubectl("label", "namespace", namespace, f"{BASELINE}=default-deny")
    beside = ("-n", namespace, "--stamp-secret")
    found = {}
    for home in (namespace, "nowhere"):
        _, report = audit(*beside, f"{home}/netreeve-stamp")
        (space,) = [one for one in report["objects"] if one["kind"] == "Namespace"]
        found[home] = [one["message"] for one in space["findings"]]
    assert found["nowhere"] == []
    assert "must be enforced: flannel enforces nothing" in found[namespace]


def test_a_namespace_that_is_not_there_is_not_clean(
    control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    where = str(control_plane.kubeconfig)
    assert main(["audit", "--kubeconfig", where, "-n", "misspelt"]) == 2
    assert "there is no namespace 'misspelt'" in capsys.readouterr().err


def test_nothing_is_written(audit: Audit, control_plane: ControlPlane, running: str) -> None:
    position = control_plane.audit_position()
    audit()

    def verbs() -> set[str]:
        return {
            event["verb"]
            for event in control_plane.audit_events(position)
            if event.get("userAgent") == "netreeve-audit"
        }

    wait_for(verbs, 10, "audit events")
    assert verbs() == {"get", "list"}  # got: the keys of stamps
