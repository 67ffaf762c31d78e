"""All rules on NetworkPolicies: none raises, none changes its subject, and good policies pass."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import catalogue
from policies.model import CREATE, Action, Policy, Request, Violation
from policies.network_policies.np_ipblock_cluster import Params
from policies.network_policies.reading import NETWORK_POLICIES
from policies.network_policies.views import (
    IPBlock,
    NetworkPolicy,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
)
from policies.objects import ObjectMeta
from policies.selectors import LabelSelector, LabelSelectorRequirement
from tests.policies.network_policies.given import Json, policy, specs, view, views

RULES: list[Policy[NetworkPolicy, Any]] = [
    one for one in catalogue() if one.rules == NETWORK_POLICIES
]
REQUEST = Request(
    operation=CREATE, group="networking.k8s.io", resource="networkpolicies", namespace="shop"
)


def found(
    rule: Policy[NetworkPolicy, Any], subject: NetworkPolicy, request: Request = REQUEST
) -> list[Violation]:
    assert rule.validate is not None
    return list(rule.validate(subject, request, rule.params()))


def test_these_are_all() -> None:
    assert [rule.id for rule in RULES] == [
        "baseline-cancelled",
        "np-allow-all",
        "np-any-namespace",
        "np-dead-direction",
        "np-dns-no-tcp",
        "np-ipblock-cluster",
        "np-mutable-label",
    ]
    assert all(rule.standard is Action.WARN for rule in RULES)


_words = st.sampled_from(
    [
        *("", "Ingress", "Egress", "TCP", "UDP", "dns", "kubernetes.io/metadata.name"),
        *("10.0.0.0/8", "0.0.0.0/0", "::/0", "::/129", "010.1.0.0/8", "1.2.3.4", "/"),
    ]
) | st.text(max_size=6)
_numbers = st.sampled_from([-1, 0, 1, 53, 80, 5353, 65535, 65536, 2**63 - 1])
_maps = st.dictionaries(_words, _words, max_size=3)


def _some(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.lists(of, max_size=3)


_requirements = st.builds(
    LabelSelectorRequirement,
    _words,
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    _some(_words).map(lambda values: values and tuple(values)),
)
_selectors = st.none() | st.builds(
    LabelSelector, st.none() | _maps, _some(_requirements).map(lambda some: some and tuple(some))
)
_blocks = st.none() | st.builds(IPBlock, st.none() | _words, _some(_words))
_peers = _some(st.builds(NetworkPolicyPeer, _selectors, _selectors, _blocks))
_ports = _some(
    st.builds(
        NetworkPolicyPort,
        st.none() | _words,
        st.none() | _words | _numbers,
        st.none() | _numbers,
    )
)
hostile = st.builds(
    NetworkPolicy,
    metadata=st.none()
    | st.builds(ObjectMeta, name=st.none() | _words, labels=_maps, annotations=_maps),
    spec=st.none()
    | st.builds(
        NetworkPolicySpec,
        _selectors,
        _some(_words),
        _some(st.builds(NetworkPolicyIngressRule, _peers, _ports)),
        _some(st.builds(NetworkPolicyEgressRule, _peers, _ports)),
    ),
)


@given(hostile, st.none() | st.lists(hostile, max_size=3).map(tuple))
def test_no_rule_raises_or_changes_its_subject(
    subject: NetworkPolicy, others: tuple[NetworkPolicy, ...] | None
) -> None:
    request = msgspec.structs.replace(REQUEST, otherPolicies=others)
    before = msgspec.json.encode(subject)
    for rule in RULES:
        for violation in found(rule, subject, request):
            assert violation.field.startswith("spec.")
    assert msgspec.json.encode(subject) == before


@given(specs, st.randoms())
def test_what_identifies_a_violation_does_not_hang_on_the_order(spec: Json, random: Any) -> None:
    """The ratchet forgives a policy whose lists were only shuffled, whatever it finds."""
    before, after = view(policy(spec)), view(policy(_shuffled(spec, random)))
    for rule in RULES:
        old = {key for one in found(rule, before) for key in one.identity}
        assert all(set(one.identity) <= old for one in found(rule, after)), rule.id


def _shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(one, random) for key, one in value.items()}
    if isinstance(value, list):
        return [_shuffled(one, random) for one in random.sample(value, len(value))]
    return value


DNS_PORTS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
DNS_PODS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}


@pytest.mark.parametrize(
    "resolvers", [[], ["169.254.20.10/32"], ["169.254.20.10/32", "10.96.0.10/32"]]
)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_portable_baseline_is_clean(
    rule: Policy[NetworkPolicy, Any], resolvers: list[str]
) -> None:
    peers = [DNS_PODS, *({"ipBlock": {"cidr": cidr}} for cidr in resolvers)]
    egress = [{"to": peers, "ports": DNS_PORTS}]
    both = views(
        [
            policy({"podSelector": {}, "policyTypes": ["Egress"], "egress": egress}, "allow-dns"),
            policy({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}, "default-deny"),
        ]
    )
    request = msgspec.structs.replace(REQUEST, otherPolicies=both)
    for one in both:
        assert found(rule, one, request) == []


@pytest.mark.parametrize("field", ["clusterCIDRs", "allowedCIDRs"])
def test_a_parameter_that_is_no_cidr_is_refused(field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"'10\.0\.0\.0' is no CIDR"):
        msgspec.convert({field: ["10.0.0.0"]}, Params)


def test_selectors_may_hold_null() -> None:
    empty = LabelSelector(matchLabels=None, matchExpressions=None)
    assert empty.matches({"app": "web"})
    nothing_in = LabelSelectorRequirement("app", "In", None)
    assert not nothing_in.matches({"app": "web"})
    assert LabelSelectorRequirement("app", "NotIn", None).matches({"app": "web"})
