"""Every path by which an object gets in or changes, with the ratchet on each of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apiserver.gated import Gated
from tests.apiserver.test_policies import PROBE, pod, service
from tests.controlplane.wait import wait_for

pytestmark = pytest.mark.cluster


def deployment(replicas: int = 1, **spec: Any) -> dict[str, Any]:
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, "spec": pod(**spec)["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


@pytest.fixture
def old_violator(gated: Gated) -> str:
    """A namespace with violators from before the gate: its server was down and not required."""
    name = "old-violators"
    if gated.kubectl("get", "namespace", name, check=False).returncode == 0:
        return name
    gated.kubectl("create", "namespace", name)
    fail_open = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
    fail_closed = [{**fail_open[0], "value": "Fail"}]
    for kind in ("validatingwebhookconfiguration", "mutatingwebhookconfiguration"):
        gated.kubectl("patch", kind, "00-netreeve", "--type=json", "-p", json.dumps(fail_open))
    gated.gate.stop()
    try:
        wait_for(lambda: _open(gated, name), 20, "the API server to do without the gate")
        for manifest in (service(type="NodePort"), deployment(0, hostNetwork=True)):
            gated.create(manifest, "-n", name).check_returncode()
    finally:
        gated.gate.start()
        for kind in ("validatingwebhookconfiguration", "mutatingwebhookconfiguration"):
            gated.kubectl(
                "patch", kind, "00-netreeve", "--type=json", "-p", json.dumps(fail_closed)
            )
        wait_for(lambda: not _open(gated, name), 20, "the gate to judge again")
    return name


def _open(gated: Gated, namespace: str) -> bool:
    probe = {**service(type="NodePort"), "metadata": {"name": "probe"}}
    return gated.create(probe, "-n", namespace, "--dry-run=server").returncode == 0


def expect_denied(result: Any, policy: str) -> None:
    assert result.returncode != 0, result.stdout
    assert f"- {policy}: " in result.stderr


def expect_passed(result: Any) -> None:
    assert result.returncode == 0, result.stderr


class TestCreation:
    def test_server_side_apply(self, gated: Gated, namespace: str) -> None:
        expect_denied(gated.apply(service(type="NodePort"), "-n", namespace), "node-port")
        expect_passed(gated.apply(service(), "-n", namespace))
        expect_denied(gated.apply(service(type="NodePort"), "-n", namespace), "node-port")

    def test_dry_run_has_the_same_verdict_and_leaves_nothing(
        self, gated: Gated, namespace: str
    ) -> None:
        expect_denied(
            gated.create(pod(hostNetwork=True), "-n", namespace, "--dry-run=server"), "host-network"
        )
        result = gated.create(pod(), "-n", namespace, "--dry-run=server", "-o", "json")
        assert json.loads(result.stdout)["spec"]["dnsConfig"]["options"][0]["name"] == "ndots"
        assert gated.get("pods", "-n", namespace)["items"] == []

    def test_a_generated_name_is_in_the_denial(self, gated: Gated, namespace: str) -> None:
        manifest = {**pod(hostNetwork=True), "metadata": {"generateName": "shop-"}}
        result = gated.create(manifest, "-n", namespace)
        expect_denied(result, "host-network")
        assert f"in Pod {namespace}/shop-" in result.stderr

    def test_a_namespace_with_a_generated_name_gets_its_label(self, gated: Gated) -> None:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "gen-"}}
        created = json.loads(gated.create(namespace, "-o", "json").stdout)
        assert created["metadata"]["labels"]["istio-injection"] == "enabled"

    def test_every_object_of_a_list_is_judged(self, gated: Gated, namespace: str) -> None:
        other = {**service(type="NodePort"), "metadata": {"name": "other"}}
        result = gated.create(service(), other, "-n", namespace)
        expect_denied(result, "node-port")
        assert "service/shop created" in result.stdout

    @pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "ReplicaSet"])
    def test_apps(self, gated: Gated, namespace: str, kind: str) -> None:
        manifest = {**deployment(hostNetwork=True), "kind": kind}
        if kind == "DaemonSet":
            del manifest["spec"]["replicas"]
        expect_denied(gated.create(manifest, "-n", namespace), "host-network")

    @pytest.mark.parametrize("kind", ["ReplicationController", "PodTemplate", "Job", "CronJob"])
    def test_other_kinds_with_a_template(self, gated: Gated, namespace: str, kind: str) -> None:
        template = deployment(hostNetwork=True)["spec"]["template"]
        job = {
            "spec": {
                "template": {**template, "spec": {**template["spec"], "restartPolicy": "Never"}}
            }
        }
        version, body = {
            "ReplicationController": ("v1", {"spec": {"template": template}}),
            "PodTemplate": ("v1", {"template": template}),
            "Job": ("batch/v1", job),
            "CronJob": ("batch/v1", {"spec": {"schedule": "@daily", "jobTemplate": job}}),
        }[kind]
        manifest = {"apiVersion": version, "kind": kind, "metadata": {"name": "shop"}, **body}
        expect_denied(gated.create(manifest, "-n", namespace), "host-network")

    def test_a_deployment_runs_down_to_its_pods(self, gated: Gated, namespace: str) -> None:
        expect_passed(gated.create(deployment(2), "-n", namespace))

        wait_for(lambda: len(gated.bound(namespace)) == 2, 30, "two pods on a node")
        pods = gated.bound(namespace)
        options = [one["spec"]["dnsConfig"]["options"] for one in pods]
        assert options == [[{"name": "ndots", "value": "2"}]] * 2


class TestChosenNodePorts:
    """In the mutating pass the API server has allocated nothing yet."""

    internal = {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}

    def balancer(self, **spec: Any) -> dict[str, Any]:
        manifest = service(type="LoadBalancer", **spec)
        manifest["metadata"]["annotations"] = self.internal
        return manifest

    def test_allocated_ports_are_warned_of(self, gated: Gated, namespace: str) -> None:
        result = gated.create(self.balancer(externalTrafficPolicy="Local"), "-n", namespace)
        expect_passed(result)
        assert "Warning: node-port: spec.healthCheckNodePort" in result.stderr
        assert "Warning: node-port: spec.allocateLoadBalancerNodePorts" in result.stderr
        expect_passed(gated.kubectl("label", "service", "shop", "a=b", "-n", namespace))

    def test_a_chosen_port_is_denied(self, gated: Gated, namespace: str) -> None:
        chosen = [{"port": 80, "nodePort": 31234}]
        expect_denied(gated.create(self.balancer(ports=chosen), "-n", namespace), "node-port")
        health = {"externalTrafficPolicy": "Local", "healthCheckNodePort": 31235}
        expect_denied(gated.create(self.balancer(**health), "-n", namespace), "node-port")

    def test_a_port_chosen_later_is_denied(self, gated: Gated, namespace: str) -> None:
        expect_passed(gated.create(self.balancer(), "-n", namespace))
        patch = [{"op": "replace", "path": "/spec/ports/0/nodePort", "value": 31236}]
        result = gated.kubectl("patch", "service", "shop", "-n", namespace, "--type=json",
                               "-p", json.dumps(patch), check=False)  # fmt: skip
        expect_denied(result, "node-port")


class TestUpdate:
    def test_patch(self, gated: Gated, namespace: str) -> None:
        gated.create(service(), "-n", namespace)
        patch = json.dumps({"spec": {"type": "NodePort"}})
        expect_denied(
            gated.kubectl("patch", "service", "shop", "-n", namespace, "-p", patch, check=False),
            "node-port",
        )

    def test_replace(self, gated: Gated, namespace: str) -> None:
        gated.create(deployment(0), "-n", namespace)
        manifest = json.dumps(deployment(0, hostNetwork=True))
        expect_denied(
            gated.kubectl("replace", "-n", namespace, "-f", "-", stdin=manifest, check=False),
            "host-network",
        )

    def test_expose(self, gated: Gated, namespace: str) -> None:
        gated.create(deployment(0), "-n", namespace)
        result = gated.kubectl("expose", "deployment", "shop", "--port=80", "--type=LoadBalancer",
                               "-n", namespace, check=False)  # fmt: skip
        expect_denied(result, "load-balancer")

    def test_an_ephemeral_container_with_net_admin_is_warned_of(
        self, gated: Gated, namespace: str
    ) -> None:
        gated.create(pod(), "-n", namespace)
        result = gated.kubectl("debug", "shop", "-n", namespace, "--image=busybox",
                               "--profile=netadmin", "--attach=false", check=False)  # fmt: skip
        expect_passed(result)
        assert "net-capabilities: spec.ephemeralContainers[0]" in result.stderr

    def test_scale_is_nobodys_business(self, gated: Gated, namespace: str) -> None:
        gated.create(deployment(0), "-n", namespace)
        result = gated.kubectl("scale", "deployment/shop", "--replicas=1", "-n", namespace)
        assert result.stderr == ""

    def test_status_of_a_load_balancer_is_written_by_controllers_only(
        self, gated: Gated, namespace: str
    ) -> None:
        internal = {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}
        manifest = service(type="LoadBalancer")
        manifest["metadata"]["annotations"] = internal
        expect_passed(gated.create(manifest, "-n", namespace))
        patch = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}})
        arguments = (
            "patch",
            "service",
            "shop",
            "-n",
            namespace,
            "--subresource=status",
            "-p",
            patch,
        )
        expect_denied(gated.kubectl(*arguments, check=False), "external-ips")
        controller = gated.control_plane.kubeconfig_for(
            "system:serviceaccount:kube-system:service-controller", ("system:masters",)
        )
        expect_passed(gated.kubectl(*arguments, kubeconfig=controller, check=False))


class TestRatchet:
    def test_a_label_on_an_old_violator_passes_with_a_warning(
        self, gated: Gated, old_violator: str
    ) -> None:
        result = gated.kubectl(
            "label", "service", "shop", "team=shop", "--overwrite", "-n", old_violator
        )
        assert "Warning: node-port: spec." in result.stderr

    def test_a_second_node_port_is_denied(self, gated: Gated, old_violator: str) -> None:
        patch = [{"op": "add", "path": "/spec/ports/0/name", "value": "http"},
                 {"op": "add", "path": "/spec/ports/-",
                  "value": {"name": "admin", "port": 81, "nodePort": 31999}}]  # fmt: skip
        result = gated.kubectl("patch", "service", "shop", "-n", old_violator, "--type=json",
                               "-p", json.dumps(patch), check=False)  # fmt: skip
        expect_denied(result, "node-port")

    def test_an_old_violator_can_be_replaced_by_its_manifest_without_numbers(
        self, gated: Gated, old_violator: str
    ) -> None:
        old = service(type="NodePort")
        old["metadata"]["labels"] = {"team": "replaced"}
        replace = ("replace", "-n", old_violator, "-f", "-")
        expect_passed(gated.kubectl(*replace, stdin=json.dumps(old), check=False))
        ports = [{"name": "a", "port": 80}, {"name": "b", "port": 99}]
        new = service(type="NodePort", ports=ports)
        expect_denied(gated.kubectl(*replace, stdin=json.dumps(new), check=False), "node-port")

    def test_an_old_violator_can_be_scaled_annotated_and_healed(
        self, gated: Gated, old_violator: str
    ) -> None:
        gated.kubectl("annotate", "deployment", "shop", "a=b", "--overwrite", "-n", old_violator)
        gated.kubectl("scale", "deployment/shop", "--replicas=0", "-n", old_violator)
        expect_passed(
            gated.kubectl("set", "image", "deployment/shop", "web=nginx:2", "-n", old_violator)
        )

    def test_a_new_violation_beside_an_old_one_is_denied(
        self, gated: Gated, old_violator: str
    ) -> None:
        patch = {"spec": {"template": {"spec": {"hostNetwork": False, "containers": [
            {"name": "web", "ports": [{"containerPort": 80, "hostPort": 80}]}]}}}}  # fmt: skip
        result = gated.kubectl("patch", "deployment", "shop", "-n", old_violator,
                               "-p", json.dumps(patch), check=False)  # fmt: skip
        expect_denied(result, "host-port")


class TestDeletion:
    def test_deletion_and_deletecollection_pass(self, gated: Gated, namespace: str) -> None:
        gated.create(service(), "-n", namespace)
        gated.create(pod(), "-n", namespace)
        expect_passed(gated.kubectl("delete", "services", "--all", "-n", namespace))
        gated.kubectl("delete", "pods", "--all", "-n", namespace, "--force", "--grace-period=0")
        assert gated.get("pods", "-n", namespace)["items"] == []

    def test_a_finalizer_of_a_terminating_violator_can_be_removed(
        self, gated: Gated, old_violator: str
    ) -> None:
        held = json.dumps({"metadata": {"finalizers": ["netreeve.io/test"]}})
        free = json.dumps({"metadata": {"finalizers": None}})
        target = ("replicaset", "-n", old_violator)
        name = gated.get(*target)["items"][0]["metadata"]["name"]
        gated.kubectl("patch", *target, name, "-p", held)
        gated.kubectl("delete", *target, name, "--wait=false", "--cascade=orphan")
        expect_passed(
            gated.kubectl("patch", *target, name, "--type=merge", "-p", free, check=False)
        )

    def test_a_namespace_with_violators_goes(self, gated: Gated, namespace: str) -> None:
        expect_passed(gated.create(pod({"livenessProbe": PROBE}), "-n", namespace))
        gated.kubectl("delete", "pod", "shop", "-n", namespace, "--force", "--grace-period=0")
        gated.kubectl("delete", "namespace", namespace, "--timeout=30s")


class TestAuditLog:
    def test_denials_and_warnings_are_recorded(self, gated: Gated, namespace: str) -> None:
        start = gated.control_plane.audit_position()
        expect_denied(gated.create(service(type="NodePort"), "-n", namespace), "node-port")
        expect_passed(gated.create(pod({"livenessProbe": PROBE}), "-n", namespace))

        def annotations(resource: str) -> dict[str, str]:
            for event in gated.control_plane.audit_events(start):
                target = event.get("objectRef", {})
                if (event["verb"], target.get("resource"), target.get("namespace")) == (
                    "create", resource, namespace,
                ):  # fmt: skip
                    recorded: dict[str, str] = event.get("annotations", {})
                    return recorded
            return {}

        service_notes = wait_for(lambda: annotations("services"), 10, "the audit event")
        assert service_notes["gate.netreeve.io/deny"].startswith("node-port: spec.type: ")
        pod_notes = wait_for(lambda: annotations("pods"), 10, "the audit event")
        assert pod_notes["gate.netreeve.io/warn"].startswith("probe-host: spec.containers[0].")
        assert any(
            key.startswith("patch.webhook.admission.k8s.io/") or "mutation" in key
            for key in pod_notes
        )
