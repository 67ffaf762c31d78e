"""Objects below the limits of size, made to cost the gate as much time as they can.

Each took half a second to minutes before its list was bounded or its work done once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from policies.model import CREATE, UPDATE, Request
from policies.network_policies.views import NetworkPolicy
from policies.objects import ObjectMeta, Service
from policies.resources import BUILT_IN, Resource, custom
from policies.services.exposure import openings
from policies.services.lengths import MOST_ENTRIES
from policies.workloads import MOST_CONTAINERS, MOST_TEMPLATES, CustomWorkload
from webhook.admission.cluster import Offline
from webhook.admission.gate import Gate, Review
from webhook.admission.verdict import Verdict
from webhook.config import GateConfig, ruleset

SECONDS = 0.5
"""Of processor time, a multiple of what any of them takes."""

LISTS = CustomWorkload("example.com", "lists", "List", "spec.pods[*].template")
GATE = Gate(ruleset(GateConfig(profile="strict", workloads=(LISTS,))))
RESOURCES: dict[str, Resource] = {one.resource: one for one in (*BUILT_IN, custom(LISTS))}
RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"

Json = dict[str, Any]

EXEMPT_TEMPLATE: Json = {
    "metadata": {"annotations": {"netreeve.io/exempt": "host-network"}},
    "spec": {"hostNetwork": True},
}


def judged(resource: str, obj: Json, *, old: bool = False) -> Verdict:
    kind = RESOURCES[resource]
    body = msgspec.json.encode(obj)
    assert len(body) <= kind.most_bytes, len(body)
    request = Request(
        operation=UPDATE if old else CREATE,
        group=kind.group,
        resource=resource,
        kind=kind.kind,
        namespace="shop",
    )
    GATE.mutate(Review(request, body, body if old else None))
    return GATE.validate(Review(request, body, body if old else None))


def seconds(resource: str, obj: Json, *, old: bool) -> float:
    started = time.process_time()
    judged(resource, obj, old=old)
    return time.process_time() - started


def balancer(ranges: str) -> Json:
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    return {"metadata": {"annotations": {RANGES: ranges}}, "spec": spec}


def network_policy(pods: Json | None = None, **spec: Any) -> Json:
    return {"metadata": {"name": "x"}, "spec": {"podSelector": pods or {}, **spec}}


def labels(count: int) -> Json:
    return {"matchLabels": {f"label-{index}": "" for index in range(count)}}


def blocks(count: int, first: int = 0) -> list[Json]:
    """Networks of documentation, each of another name."""
    return [
        {"ipBlock": {"cidr": f"2001:db8:{index:x}::/48"}} for index in range(first, first + count)
    ]


COSTLY: dict[str, tuple[str, Callable[[], Json]]] = {
    "commas": ("services", lambda: balancer("," * 500_000)),
    "external IPs": ("services", lambda: {"spec": {"externalIPs": ["a"] * 125_000}}),
    "labels of a name": (
        "services",
        lambda: {"spec": {"type": "ExternalName", "externalName": "1-1." * 125_000 + "n.pod"}},
    ),
    "labels of many names": (
        "endpointslices",
        lambda: {
            "addressType": "FQDN",
            "endpoints": [{"addresses": ["a-1." * 45 + "n.pod"]}] * 5000,
        },
    ),
    "subsets": ("endpoints", lambda: {"subsets": [{}] * 340_000}),
    "containers": ("pods", lambda: {"spec": {"containers": [{}] * 340_000}}),
    "labels": (
        "namespaces",
        lambda: {"metadata": {"labels": dict.fromkeys(map(str, range(70_000)))}},
    ),
    "elements of a custom kind": ("lists", lambda: {"spec": {"pods": [{}] * 340_000}}),
    "exempt templates": (
        "lists",
        lambda: {"spec": {"pods": [{"template": EXEMPT_TEMPLATE}] * 4000}},
    ),
    "rules": ("networkpolicies", lambda: network_policy(ingress=[{}] * 85_000)),
    "rules and a selector": (
        "networkpolicies",
        lambda: network_policy(labels(10_000), ingress=[{}] * 500),
    ),
    "rules and an annotation": (
        "networkpolicies",
        lambda: {
            **network_policy(ingress=[{}] * 500),
            "metadata": {"annotations": {"netreeve.io/allow-all": "," * 250_000}},
        },
    ),
    "blocks": ("networkpolicies", lambda: network_policy(egress=[{"to": blocks(5000)}])),
    "blocks of DNS": (
        "networkpolicies",
        lambda: network_policy(
            egress=[{"to": blocks(5000), "ports": [{"port": 53}, {"port": "dns"}] * 500}]
        ),
    ),
    "exceptions": (
        "networkpolicies",
        lambda: network_policy(
            egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/7", "except": ["x"] * 60_000}}]}]
        ),
    ),
}


@pytest.mark.parametrize("name", COSTLY)
@pytest.mark.parametrize("old", [False, True])
def test_no_object_keeps_the_others_waiting(name: str, *, old: bool) -> None:
    resource, make = COSTLY[name]
    obj = make()
    # Three chances: on a busy machine the same work takes several times as long now and then.
    assert any(seconds(resource, obj, old=old) < SECONDS for _ in range(3))


class Namespace(Offline):
    """Under a baseline, with policies of somebody who means to keep others waiting."""

    def __init__(self, policies: tuple[NetworkPolicy, ...]) -> None:
        self._policies = policies

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        return {"netreeve.io/baseline": "default-deny"}

    def network_policies(self, namespace: str) -> tuple[NetworkPolicy, ...]:
        return self._policies


@pytest.mark.parametrize(
    "spec",
    [
        {"egress": [{"to": blocks(5000)}]},
        {"egress": [{}] * 500},
        {"egress": [{"ports": [{"port": port + 1} for port in range(1000)]}]},
        {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}] * 2000}},
    ],
    ids=["blocks", "rules", "ports", "requirements"],
)
def test_no_other_policies_keep_a_namespace_waiting(spec: Json) -> None:
    other = msgspec.convert(network_policy(**spec), NetworkPolicy)
    other.metadata = ObjectMeta(name="other")
    gate = Gate(ruleset(GateConfig(profile="strict")), Namespace((other,) * 500))
    pods = {"matchExpressions": [{"key": "a", "operator": "Exists"}] * 500}
    body = msgspec.json.encode(network_policy(pods, egress=[{"to": blocks(1, 5000)}]))
    request = Request(
        operation=CREATE, group="networking.k8s.io", resource="networkpolicies", namespace="shop"
    )
    started = time.process_time()
    findings = gate.validate(Review(request, body)).findings
    assert time.process_time() - started < SECONDS
    assert "baseline-cancelled" in {one.policy for one in findings}


def test_openings_are_no_more_than_show_that_a_list_is_too_long() -> None:
    spec = {
        "type": "LoadBalancer",
        "externalIPs": ["192.0.2.1"] * 5000,
        "loadBalancerSourceRanges": ["192.0.2.0/24"] * 5000,
    }
    assert len(openings(msgspec.convert({"spec": spec}, Service))) < 2 * MOST_ENTRIES + 10


def test_more_containers_than_a_pod_can_have_are_not_judged() -> None:
    def named(count: int) -> Json:
        return {"spec": {"containers": [{"name": f"c{index}"} for index in range(count)]}}

    assert judged("pods", named(MOST_CONTAINERS)).allowed
    (finding,) = judged("pods", named(MOST_CONTAINERS + 1)).findings
    assert finding.policy == "malformed"
    assert finding.violation.field == "spec"
    assert "at most 1000 containers, got 1001" in finding.violation.message


def test_more_pod_templates_than_a_custom_kind_may_have_are_not_judged() -> None:
    def pods(count: int) -> Json:
        return {"spec": {"pods": [{"template": {"spec": {}}}] * count}}

    assert judged("lists", pods(MOST_TEMPLATES)).allowed
    (finding,) = judged("lists", pods(MOST_TEMPLATES + 1)).findings
    assert (finding.policy, finding.violation.field) == ("malformed", "spec.pods")
    assert "at most 100 pod templates, got 101" in finding.violation.message


@pytest.mark.parametrize(
    ("what", "rules"),
    [
        ("500 rules, got 501", [{}] * 501),
        ("1000 ports, got 1001", [{"ports": [{"port": 80}] * 1001}]),
        ("5000 peers and exceptions, got 5001", [{"from": [{"podSelector": {}}] * 5001}]),
        (
            "5000 peers and exceptions, got 5001",
            [{"from": [{"ipBlock": {"cidr": "::/0", "except": ["2001:db8::/32"] * 5000}}]}],
        ),
    ],
)
def test_a_network_policy_that_is_too_long_is_malformed(what: str, rules: list[Json]) -> None:
    (finding,) = judged("networkpolicies", network_policy(ingress=rules)).findings
    assert (finding.policy, finding.violation.field) == ("malformed", "spec")
    assert f"at most {what}" in finding.violation.message


def test_keys_do_not_repeat_what_a_user_wrote_at_length() -> None:
    """A selector of 200 KB in the keys of a thousand violations was a gigabyte."""
    found = judged("networkpolicies", network_policy(labels(10_000), ingress=[{}] * 500)).findings
    assert len(found) > 500
    assert max(len(key) for one in found for key in one.violation.keys) < 400
