"""Every policy, denied or patched by creating real objects, with the text that kubectl prints."""

from __future__ import annotations

from typing import Any

import pytest

from policies import catalogue
from policies.model import Action
from tests.apiserver.gated import Gated
from tests.controlplane.wait import wait_for

pytestmark = pytest.mark.cluster


def service(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {"ports": [{"port": 80}], **spec},
    }


def pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    main = {"name": "web", "image": "nginx", **(container or {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shop"},
        "spec": {"containers": [main], **spec},
    }


def endpoint_slice(address: str) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "shop", "labels": {"kubernetes.io/service-name": "shop"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]}],
        "ports": [{"port": 80}],
    }


def network_policy(peers: list[Any], ports: list[Any], *types: str) -> dict[str, Any]:
    """A policy with one egress rule."""
    rule = {key: value for key, value in (("to", peers), ("ports", ports)) if value}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "shop"},
        "spec": {"podSelector": {}, "policyTypes": list(types or ("Egress",)), "egress": [rule]},
    }


WEB = [{"protocol": "TCP", "port": 443}]
DNS_UDP = [{"protocol": "UDP", "port": 53}]
SAME: list[Any] = [{"podSelector": {}}]
ANY_NAMESPACE: list[Any] = [{"namespaceSelector": {}}]
BY_LABEL = [{"namespaceSelector": {"matchLabels": {"team": "x"}}}]
CLUSTER = [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
PROBE = {"httpGet": {"host": "10.0.0.1", "port": 80}}
SYSCTL = {"name": "net.core.somaxconn", "value": "9"}
VIOLATIONS: list[tuple[str, dict[str, Any], str]] = [
    ("node-port", service(type="NodePort"), "spec.type"),
    ("load-balancer", service(type="LoadBalancer"), "spec.type"),
    ("external-ips", service(externalIPs=["203.0.113.7"]), "spec.externalIPs[0]"),
    ("external-name", service(type="ExternalName", externalName="localhost"), "spec.externalName"),
    ("endpoint-slices", endpoint_slice("100.100.100.200"), "endpoints[0].addresses[0]"),
    ("host-network", pod(hostNetwork=True), "spec.hostNetwork"),
    ("host-port", pod({"ports": [{"containerPort": 80, "hostPort": 80}]}),
     "spec.containers[0].ports[0].hostPort"),
    ("probe-host", pod({"livenessProbe": PROBE}), "spec.containers[0].livenessProbe.httpGet.host"),
    ("net-capabilities", pod({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}),
     "spec.containers[0].securityContext.capabilities.add[0]"),
    ("net-sysctls", pod(securityContext={"sysctls": [SYSCTL]}),
     "spec.securityContext.sysctls[0].name"),
    ("np-allow-all", network_policy([], []), "spec.egress[0]"),
    ("np-any-namespace", network_policy(ANY_NAMESPACE, WEB), "spec.egress[0].to[0]"),
    ("np-dead-direction", network_policy(SAME, WEB, "Ingress"), "spec.egress"),
    ("np-dns-no-tcp", network_policy(SAME, DNS_UDP), "spec.egress[0].ports[0]"),
    ("np-ipblock-cluster", network_policy(CLUSTER, WEB), "spec.egress[0].to[0].ipBlock.cidr"),
    ("np-mutable-label", network_policy(BY_LABEL, WEB), "spec.egress[0].to[0].namespaceSelector"),
]  # fmt: skip


def judging() -> set[str]:
    return {policy.id for policy in catalogue() if policy.validate}


ELSEWHERE = {
    "baseline-cancelled",
    "baseline-enforced",
    "baseline-guard",
    "baseline-pods",
    "mesh-conflict",
}
"""These need a namespace of a certain kind; see below, and tests/controller."""


def test_the_table_has_every_judging_policy() -> None:
    assert {policy for policy, _, _ in VIOLATIONS} | ELSEWHERE == judging()


@pytest.mark.parametrize(
    ("policy", "manifest", "field"), VIOLATIONS, ids=lambda value: str(value)[:20]
)
def test_a_violation_is_denied_or_warned_of(
    gated: Gated, namespace: str, policy: str, manifest: dict[str, Any], field: str
) -> None:
    result = gated.create(manifest, "-n", namespace)
    action = next(known for known in catalogue() if known.id == policy).standard
    if action is Action.DENY:
        assert result.returncode == 1
        assert 'admission webhook "gate.netreeve.io" denied the request: ' in result.stderr
        assert f"- {policy}: {field}: " in result.stderr
        assert f"More: netreeve explain {policy}" in result.stderr
    else:
        assert result.returncode == 0, result.stderr
        assert f"Warning: {policy}: {field}"[:100] in result.stderr


def test_the_denial_as_kubectl_prints_it(gated: Gated, namespace: str) -> None:
    manifest = pod({"ports": [{"containerPort": 80, "hostPort": 8080}]}, hostNetwork=False)
    manifest["spec"]["containers"].append({**manifest["spec"]["containers"][0], "name": "second"})
    manifest["spec"]["containers"][1]["ports"] = [{"containerPort": 81, "hostPort": 8081}]
    result = gated.create(manifest, "-n", namespace)
    first, second, *rest = result.stderr.splitlines()
    assert first == (
        'Error from server (Forbidden): error when creating "STDIN": admission webhook '
        f'"gate.netreeve.io" denied the request: 2 violations in Pod {namespace}/shop'
    )
    assert second.startswith("- host-port: spec.containers[0].ports[0].hostPort: ")
    assert rest[0].startswith("- host-port: spec.containers[1].ports[0].hostPort: ")
    assert rest[-1] == "More: netreeve explain host-port"


def test_pods_get_ndots(gated: Gated, namespace: str) -> None:
    assert gated.create(pod(), "-n", namespace).returncode == 0
    created = gated.get("pod", "shop", "-n", namespace)
    assert created["spec"]["dnsConfig"] == {"options": [{"name": "ndots", "value": "2"}]}


def test_pods_keep_their_own_dns_options(gated: Gated, namespace: str) -> None:
    options = [{"name": "edns0"}, {"name": "ndots", "value": "5"}]
    gated.create(pod(dnsConfig={"options": options}), "-n", namespace)
    assert gated.get("pod", "shop", "-n", namespace)["spec"]["dnsConfig"] == {"options": options}


def test_namespaces_get_mesh_injection(gated: Gated, namespace: str) -> None:
    assert gated.get("namespace", namespace)["metadata"]["labels"]["istio-injection"] == "enabled"


def test_a_namespace_keeps_its_own_decision_on_the_mesh(gated: Gated) -> None:
    labels = {"istio.io/dataplane-mode": "ambient"}
    namespace = {"apiVersion": "v1", "kind": "Namespace",
                 "metadata": {"name": "ambient", "labels": labels}}  # fmt: skip
    assert gated.create(namespace).returncode == 0
    assert "istio-injection" not in gated.get("namespace", "ambient")["metadata"]["labels"]


def test_a_contradiction_between_meshes_is_warned_of(gated: Gated) -> None:
    labels = {"istio-injection": "enabled", "istio.io/dataplane-mode": "ambient"}
    namespace = {"apiVersion": "v1", "kind": "Namespace",
                 "metadata": {"name": "torn", "labels": labels}}  # fmt: skip
    result = gated.create(namespace)
    assert result.returncode == 0
    assert "Warning: mesh-conflict: metadata.labels" in result.stderr


def test_a_namespace_selector_softens_a_policy(gated: Gated) -> None:
    gated.kubectl("create", "namespace", "sandbox")
    denied = gated.create(service(type="NodePort"), "-n", "sandbox")
    assert denied.returncode == 1
    gated.kubectl("label", "namespace", "sandbox", "env=sandbox")

    said: list[str] = []

    def accepted() -> bool:
        result = gated.create(service(type="NodePort"), "-n", "sandbox")
        said.append(result.stderr)
        return result.returncode == 0

    wait_for(accepted, 10, "the new label to reach the gate")
    assert "Warning: node-port: spec.type" in said[-1]


def test_the_excluded_namespaces_are_left_alone(gated: Gated) -> None:
    result = gated.create(service(type="NodePort"), "-n", "kube-system")
    assert (result.returncode, result.stderr) == (0, "")
