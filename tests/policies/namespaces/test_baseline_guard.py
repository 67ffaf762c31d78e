"""baseline-guard: what it advises whoever applies a policy of their own over the baseline's."""

from __future__ import annotations

from policies.baseline.config import BaselineConfig
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
