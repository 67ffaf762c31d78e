"""The servers are real, and do what the other tests rely on."""

import json
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import AppsV1Api, CoreV1Api

from tests.controlplane import build
from tests.controlplane.clients import probe
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.fixtures import NODE
from tests.controlplane.process import ProcessFailedError
from tests.controlplane.wait import wait_for

pytestmark = pytest.mark.cluster

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "example"},
    "spec": {"containers": [{"name": "main", "image": "example.invalid/main"}]},
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "example"},
    "spec": {
        "selector": {"matchLabels": {"app": "example"}},
        "template": {"metadata": {"labels": {"app": "example"}}, "spec": POD["spec"]},
    },
}
DUAL_STACK = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "example"},
    "spec": {"ipFamilyPolicy": "RequireDualStack", "ports": [{"port": 80}]},
}


def create(
    plane: ControlPlane, namespace: str, manifest: Mapping[str, object]
) -> "subprocess.CompletedProcess[str]":
    """As whoever uses the cluster would."""
    return plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))


def test_client_and_server_are_the_pinned_version(control_plane: ControlPlane) -> None:
    """`kubectl version` tells the truth; with other people's binaries, at least an answer."""
    versions = json.loads(control_plane.kubectl("version", "-o", "json").stdout)
    found = {versions[side]["gitVersion"] for side in ("clientVersion", "serverVersion")}
    if build.cache_folder() in build.ensure()["kube-apiserver"].parents:
        assert found == {build.kubernetes_version()}
    assert versions["serverVersion"]["minor"]


def test_a_user_may_do_what_rbac_grants_and_nothing_else(
    control_plane: ControlPlane, namespace: str
) -> None:
    """Authentication by certificate, groups included, and authorization are on."""
    reader = control_plane.kubeconfig_for("jane", ["readers"])
    question = ("auth", "can-i", "list", "pods", "-n", namespace)
    assert control_plane.kubectl(*question, kubeconfig=reader, check=False).stdout == "no\n"

    control_plane.kubectl(
        *("create", "rolebinding", "readers", "-n", namespace),
        *("--clusterrole=view", "--group=readers"),
    )

    def granted() -> bool:
        return control_plane.kubectl(*question, kubeconfig=reader, check=False).stdout == "yes\n"

    wait_for(granted, 10, "the role binding to count")
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        control_plane.kubectl("delete", "pod", "example", "-n", namespace, kubeconfig=reader)
    assert 'User "jane" cannot' in refusal.value.stderr
    assert refusal.value.__notes__ == [refusal.value.stderr.strip()]


def test_a_deployment_becomes_a_bound_pod(control_plane: ControlPlane, namespace: str) -> None:
    """Controllers and scheduler work, each controller under its own name."""
    create(control_plane, namespace, DEPLOYMENT)
    api = CoreV1Api(control_plane.api_client())

    def bound() -> list[str]:
        pods = api.list_namespaced_pod(namespace).items
        return [pod.spec.node_name for pod in pods if pod.spec and pod.spec.node_name]

    assert wait_for(bound, 20, "a bound pod") == [NODE]
    creators = {
        event["user"]["username"]
        for event in control_plane.audit_events()
        if event["verb"] == "create"
        and event["objectRef"].get("namespace") == namespace
        and event["objectRef"]["resource"] == "pods"
        and not event["objectRef"].get("subresource")
    }
    assert creators == {"system:serviceaccount:kube-system:replicaset-controller"}


def test_the_audit_log_has_the_whole_write(control_plane: ControlPlane, namespace: str) -> None:
    """Request and response are in the log, found again from a remembered position."""
    start = control_plane.audit_position()
    create(control_plane, namespace, POD)

    def creations() -> list[dict[str, Any]]:
        return [
            event
            for event in control_plane.audit_events(start)
            if event["verb"] == "create"
            and event["objectRef"]["resource"] == "pods"  # controllers create others there
            and event["objectRef"].get("namespace") == namespace
        ]

    event = wait_for(creations, 10, "the audit event")[0]
    assert event["level"] == "RequestResponse"
    assert event["requestObject"]["metadata"]["name"] == "example"
    assert event["responseObject"]["metadata"]["uid"]


def test_warnings_reach_the_user(control_plane: ControlPlane, namespace: str) -> None:
    """What admission warns of is what kubectl prints."""
    control_plane.kubectl(
        *("label", "namespace", namespace),
        "pod-security.kubernetes.io/warn=restricted",
    )
    assert "would violate PodSecurity" in create(control_plane, namespace, POD).stderr


def test_services_are_dual_stack(control_plane: ControlPlane, namespace: str) -> None:
    """Both ranges are served."""
    create(control_plane, namespace, DUAL_STACK)
    query = ("service", "example", "-n", namespace, "-o", "jsonpath={.spec.ipFamilies}")
    assert json.loads(control_plane.kubectl("get", *query).stdout) == ["IPv4", "IPv6"]


def test_objects_and_controllers_outlive_an_apiserver_restart(
    control_plane: ControlPlane, namespace: str
) -> None:
    """The port and every credential stay good; the controllers find their way back."""
    url, start = control_plane.url, control_plane.audit_position()
    create(control_plane, namespace, POD)

    control_plane.restart_apiserver()

    assert control_plane.url == url
    assert control_plane.kubectl("get", "pod", "example", "-n", namespace).returncode == 0
    create(control_plane, namespace, DEPLOYMENT)
    api = AppsV1Api(control_plane.api_client())
    wait_for(lambda: api.list_namespaced_replica_set(namespace).items, 30, "a replica set")
    assert any(event["verb"] == "create" for event in control_plane.audit_events(start))


def test_a_stopped_apiserver_refuses_connections(control_plane: ControlPlane) -> None:
    """Its port is kept meanwhile, but nobody listens."""
    host, port = control_plane.url.removeprefix("https://").split(":")
    control_plane.stop_apiserver()
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=5)
    finally:
        control_plane.start_apiserver()


def test_pods_can_be_created_without_controllers() -> None:
    """The smallest control plane has no ServiceAccounts, and does not ask for them."""
    with ControlPlane() as plane:
        folder, etcd_log = plane.folder, plane.log("etcd")
        create(plane, "default", POD)
        assert plane.kubectl("get", "pod", "example").returncode == 0
        assert etcd_log.exists()
        url = plane.url
    assert not folder.exists()
    assert probe(f"{url}/readyz") is None


def test_a_failed_start_shows_the_log(tmp_path: Path) -> None:
    """A flag that the server does not know is what the error says, and nothing is left running."""
    plane = ControlPlane(apiserver_flags=["--no-such-flag"], folder=tmp_path)
    with pytest.raises(ProcessFailedError, match="unknown flag: --no-such-flag"), plane:
        raise AssertionError("it started")
    assert not (tmp_path / "etcd").exists()
