"""What becomes of a namespace when things are not as they should be, and that it is told."""

from functools import partial
from typing import Any

import pytest

from tests.controller.control import Control
from tests.controller.protected import (
    GENERATED,
    LABEL,
    NAMESPACES,
    PODS,
    POLICIES,
    SOON,
    STATUS,
    Protected,
    configured,
    fresh,
    pod,
    webhook_down,
)
from tests.controlplane.wait import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

DENY = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
INGRESS_ONLY = {"podSelector": {}, "policyTypes": ["Ingress"]}
GATED = {"schedulingGates": [{"name": "netreeve.io/baseline"}]}
SAME_NAMESPACE = {"baselines": {"default-deny": {"allow": {"sameNamespace": True}}}}


def await_reason(protected: Protected, namespace: str, reason: str) -> dict[str, Any]:
    wait_for(
        lambda: protected.status(namespace).get("reason") == reason,
        SOON,
        f"the status {reason} of {namespace}",
    )
    return protected.status(namespace)


def test_a_policy_of_the_users_own_is_left_alone_and_told(protected: Protected) -> None:
    """In a namespace that was there before the gate, and is adopted."""
    (name,) = fresh(1, "taken")
    with webhook_down(protected):
        protected.api.create(NAMESPACES, {"metadata": {"name": name}})
        own = {"metadata": {"name": "default-deny"}, "spec": INGRESS_ONLY}
        made = protected.api.create(POLICIES.format(name), own)
    protected.api.patch(f"{NAMESPACES}/{name}", {"metadata": {"labels": {LABEL: "default-deny"}}})
    status = await_reason(protected, name, "NameTaken")
    assert status["state"] == "failing"
    assert "default-deny" in status["message"]
    policies = protected.policies(name)
    assert set(policies) == {"allow-dns", "default-deny"}
    assert policies["default-deny"]["metadata"]["uid"] == made["metadata"]["uid"]
    assert policies["default-deny"]["spec"] == INGRESS_ONLY
    assert "labels" not in policies["default-deny"]["metadata"]
    protected.api.insist(PODS.format(name), pod("waits"))
    assert not any(protected.pods([name]).values())
    protected.api.delete(f"{POLICIES.format(name)}/default-deny")
    protected.await_covered([name])
    wait_for(lambda: all(protected.pods([name]).values()), SOON, "the pod to be bound")
    protected.forget([name])


def test_pods_go_where_the_users_own_policy_denies_as_much(
    protected: Protected, controller: Control
) -> None:
    (name,) = fresh(1, "equal")
    with controller.frozen():
        protected.api.create(NAMESPACES, {"metadata": {"name": name}})
        own = {"metadata": {"name": "default-deny"}, "spec": DENY}
        protected.api.create(POLICIES.format(name), own)
        protected.api.insist(PODS.format(name), pod("goes"))
    await_reason(protected, name, "NameTaken")
    wait_for(lambda: all(protected.pods([name]).values()), SOON, "the pod to be bound")
    protected.forget([name])


def test_pods_do_not_wait_where_there_is_no_baseline(protected: Protected) -> None:
    protected.api.insist(PODS.format("default"), pod("stray", **GATED))
    wait_for(lambda: all(protected.pods(["default"]).values()), SOON, "the pod to be bound")
    protected.api.delete(f"{PODS.format('default')}/stray", gracePeriodSeconds=0)


def test_other_gates_are_left_alone(protected: Protected, namespace: str) -> None:
    gates = [{"name": "example.com/other"}, *GATED["schedulingGates"]]
    protected.api.insist(PODS.format(namespace), pod("held", schedulingGates=gates))
    path = f"{PODS.format(namespace)}/held"
    wait_for(
        lambda: (
            protected.api.get(path)["spec"]["schedulingGates"] == [{"name": "example.com/other"}]
        ),
        SOON,
        "our gate to be taken away",
    )


def test_a_changed_configuration_is_carried_out_and_what_it_drops_is_left(
    protected: Protected, namespace: str
) -> None:
    allowed = {*GENERATED, "allow-same-namespace"}
    with configured(protected, SAME_NAMESPACE):
        wait_for(lambda: set(protected.policies(namespace)) == allowed, SOON, "the new policy")
        protected.await_covered([namespace])
    status = await_reason(protected, namespace, "LeftInPlace")
    assert "allow-same-namespace" in status["message"]
    assert set(protected.policies(namespace)) == allowed


def test_new_facts_are_carried_out(protected: Protected, namespace: str) -> None:
    """DNS moves to another port, and back."""
    before = protected.policies(namespace)["allow-dns"]["spec"]
    for port in (5353, 53):
        ports = [
            {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": port},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": port},
        ]
        path = f"{NAMESPACES}/kube-system/services/kube-dns"
        protected.api.patch(path, {"spec": {"ports": ports}})
        wait_for(partial(dns_ports_are, protected, namespace, port), SOON, f"port {port}")
    assert protected.policies(namespace)["allow-dns"]["spec"] == before


def dns_ports_are(protected: Protected, namespace: str, port: int) -> bool:
    rules = protected.policies(namespace)["allow-dns"]["spec"]["egress"]
    return {one["port"] for rule in rules for one in rule["ports"]} == {port}


def test_a_label_that_is_taken_off_properly_stays_off(
    protected: Protected, controller: Control, namespace: str
) -> None:
    """By the gate, with the right to it; the policies stay, and are told as left over."""
    path = f"{NAMESPACES}/{namespace}"
    protected.api.patch(path, {"metadata": {"labels": {LABEL: None}}})
    assert protected.status(namespace) == {}
    wait_for(lambda: "Released" in events(protected, namespace), SOON, "the event")
    wait_for(lambda: left_over(controller) == len(GENERATED), SOON, "the metric to count them")
    assert LABEL not in protected.api.get(path)["metadata"]["labels"]
    assert set(protected.policies(namespace)) == GENERATED
    protected.api.patch(path, {"metadata": {"labels": {LABEL: "default-deny"}}})
    protected.await_covered([namespace])
    wait_for(lambda: left_over(controller) == 0, SOON, "the metric to count none")


def events(protected: Protected, namespace: str) -> set[str]:
    """Their reasons."""
    return {one["reason"] for one in protected.gated.get("events", "-n", namespace)["items"]}


def left_over(controller: Control) -> float:
    return controller.metrics()["netreeve_controller_leftovers"]


def test_nobody_else_writes_the_status(protected: Protected, namespace: str) -> None:
    before = protected.status(namespace)
    for value in ("forged", None):
        change = {"metadata": {"annotations": {STATUS: value, "example.com/own": "kept"}}}
        protected.api.patch(f"{NAMESPACES}/{namespace}", change)
        assert protected.status(namespace) == before


def test_without_dns_new_namespaces_wait_and_others_stay(
    protected: Protected, namespace: str
) -> None:
    path = f"{NAMESPACES}/kube-system/services"
    service = protected.api.get(f"{path}/kube-dns")
    (name,) = fresh(1, "nodns")
    protected.api.delete(f"{path}/kube-dns")
    try:
        assert await_reason(protected, namespace, "DnsNotFound")["state"] == "covered"
        protected.api.create(NAMESPACES, {"metadata": {"name": name}})
        assert await_reason(protected, name, "DnsNotFound")["state"] == "pending"
        assert protected.policies(name) == {}
        assert set(protected.policies(namespace)) == GENERATED
    finally:
        metadata = {key: service["metadata"][key] for key in ("name", "labels")}
        spec = {key: service["spec"][key] for key in ("selector", "ports")}
        protected.api.create(path, {"metadata": metadata, "spec": spec})
    protected.await_covered([name])
    assert set(protected.policies(name)) == GENERATED
    await_reason(protected, namespace, "Covered")
    protected.forget([name])
