"""baseline-guard: what it advises whoever applies a policy of their own over the baseline's."""

from __future__ import annotations

import msgspec

from policies.baseline.config import BaselineConfig
from policies.baseline.facts import Facts
from policies.baseline.meshes import ControlPlanes, control_planes
from policies.baseline.objects import Namespace, environment, plan
from policies.model import CREATE, UPDATE, Request
from policies.namespaces.baseline_guard import validate
from policies.network_policies.managed import BASELINE, DEFAULT_DENY, MANAGED_BY, NETREEVE
from policies.network_policies.views import NetworkPolicy, NetworkPolicySpec
from policies.objects import ObjectMeta

LABELS = {BASELINE: DEFAULT_DENY}
OWN = NetworkPolicy(
    metadata=ObjectMeta(name=DEFAULT_DENY), spec=NetworkPolicySpec(policyTypes=["Ingress"])
)
OURS = NetworkPolicy(
    metadata=ObjectMeta(name=DEFAULT_DENY, labels={MANAGED_BY: NETREEVE, **LABELS}),
    spec=NetworkPolicySpec(policyTypes=["Ingress", "Egress"]),
)


def advice(operation: str, old: NetworkPolicy | None) -> str:
    request = Request(
        operation=operation,
        group="networking.k8s.io",
        resource="networkpolicies",
        namespaceLabels=LABELS,
        old=old,
    )
    return next(iter(validate(OWN, request, BaselineConfig()))).fix


def test_another_name_is_advised_before_and_after_the_controller_was_there() -> None:
    assert "use another name" in advice(CREATE, None)
    assert "under another name" in advice(UPDATE, OURS)


EVERYTHING = {
    "allow": {
        "sameNamespace": True,
        "ingressControllers": {"namespaces": ["ingress-nginx"]},
        "monitoring": {"namespaces": ["monitoring"]},
        "egressProxy": {"cidrs": ["192.0.2.7/32"], "ports": [3128]},
        "internet": {},
        "anyEgress": True,
    },
    "meshes": ["istio-sidecar", "istio-ambient", "linkerd", "consul", "kuma"],
    "policies": {"from-vpn": {"podSelector": {}}},
}


def test_whatever_the_controller_writes_nobody_takes_the_name_of() -> None:
    section = {"baselines": {"much": EVERYTHING}, "dns": {"whenNotFound": "deny-only"}}
    config = msgspec.convert(section, BaselineConfig)
    facts = Facts(namespaces=control_planes(ControlPlanes()))
    written = plan(environment(config, facts), config.baselines["much"], Namespace("shop", "uid"))
    names = {one.name for one in written.generated}
    assert {"allow-same-namespace", "allow-kuma", "from-vpn", DEFAULT_DENY} <= names
    request = Request(operation=CREATE, group="networking.k8s.io", resource="networkpolicies",
                      namespaceLabels={BASELINE: "much"})  # fmt: skip
    for name in names:
        own = NetworkPolicy(metadata=ObjectMeta(name=name), spec=OWN.spec)
        assert [one.field for one in validate(own, request, config)] == ["metadata.name"], name
