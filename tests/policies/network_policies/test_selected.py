"""What holds for a selector holds for every pod that it picks."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.network_policies import effective
from policies.network_policies.effective import Direction
from policies.network_policies.selected import for_labels, for_selector, joined
from policies.network_policies.views import NetworkPolicy, NetworkPolicySpec
from policies.selectors import LabelSelector, LabelSelectorRequirement
from tests.policies.network_policies.given import Json, pod_selectors, policy, specs, view, views

_VALUES = {"app": (None, "web", "db", "dns", "other"), "tier": (None, "front", "back", "other")}
EVERY_LABELS = [
    {key: value for key, value in zip(_VALUES, values, strict=True) if value is not None}
    for values in product(*_VALUES.values())
]
"""Every way to set the labels that selectors here speak of, a value none of them knows included."""


def selector(pods: Json) -> LabelSelector:
    spec = view(policy({"podSelector": pods})).spec
    assert spec is not None
    assert spec.podSelector is not None
    return spec.podSelector


def implies(narrow: LabelSelector, wide: LabelSelector) -> bool:
    """Whether a policy for the pods of ``wide`` counts for those of ``narrow``."""
    spec = NetworkPolicySpec(podSelector=wide, policyTypes=["Ingress"])
    return for_selector([NetworkPolicy(spec=spec)], narrow).ingress.isolated


@given(pod_selectors, pod_selectors)
def test_implication_holds_for_all_labels(one: Json, other: Json) -> None:
    narrow, wide = selector(one), selector(other)
    if implies(narrow, wide):
        assert all(wide.matches(labels) for labels in EVERY_LABELS if narrow.matches(labels))


@given(pod_selectors)
def test_a_selector_implies_itself_and_the_empty_one(one: Json) -> None:
    assert implies(selector(one), selector(one))
    assert implies(selector(one), LabelSelector())


@given(pod_selectors, st.lists(pod_selectors, max_size=4))
def test_whoever_can_pick_a_pod_with_the_first_is_joined_to_it(own: Json, some: list[Json]) -> None:
    first, others = selector(own), [selector(one) for one in some]
    together = [*joined(first, others)]
    for one in others:
        at_once = any(first.matches(labels) and one.matches(labels) for labels in EVERY_LABELS)
        assert any(implies(pods, one) for pods in together) == at_once
    for pods in together:
        assert implies(pods, first)
        assert any(pods.matches(labels) for labels in EVERY_LABELS)


def requirement(operator: str, *values: str, key: str = "app") -> LabelSelector:
    one = LabelSelectorRequirement(key, operator, values)  # type: ignore[arg-type]
    return LabelSelector(matchExpressions=(one,))


@pytest.mark.parametrize(
    ("narrow", "wide", "implied"),
    [
        (LabelSelector(matchLabels={"app": "web"}), requirement("In", "web", "db"), True),
        (requirement("In", "web", "db"), LabelSelector(matchLabels={"app": "web"}), False),
        (requirement("In", "web"), requirement("Exists"), True),
        (requirement("Exists"), requirement("In", "web"), False),
        (requirement("In", "web"), requirement("NotIn", "db"), True),
        (requirement("In", "web", "db"), requirement("NotIn", "db"), False),
        (requirement("NotIn", "web", "db"), requirement("NotIn", "db"), True),
        (requirement("DoesNotExist"), requirement("NotIn", "db"), True),
        (requirement("DoesNotExist"), requirement("DoesNotExist"), True),
        (requirement("NotIn", "db"), requirement("DoesNotExist"), False),
        (requirement("In", "web", key="tier"), requirement("In", "web"), False),
        (LabelSelector(), requirement("Exists"), False),
    ],
)
def test_what_implies_what(narrow: LabelSelector, wide: LabelSelector, implied: bool) -> None:
    assert implies(narrow, wide) is implied


manifests = st.lists(st.builds(policy, specs, st.sampled_from(["a", "b", "c"])), max_size=4)


@given(manifests)
def test_no_pod_of_a_selector_is_allowed_less_than_it_says(some: list[Json]) -> None:
    read = views(some)
    for picked in map(effective.selector, read):
        selected = for_selector(read, picked)
        for labels in filter(picked.matches, EVERY_LABELS):
            exact = for_labels(read, labels)
            for direction in Direction:
                sure, real = selected.side(direction), exact.side(direction)
                assert real.isolated or not sure.isolated
                assert all(one in real.allows for one in sure.allows)


def test_the_policies_for_all_pods_count_for_some() -> None:
    read = views(
        [
            policy({"podSelector": {}, "policyTypes": ["Ingress"]}, "default-deny"),
            policy(
                {
                    "podSelector": {"matchLabels": {"app": "web"}},
                    "ingress": [{"ports": [{"port": 80}]}],
                },
                "web",
            ),
            policy(
                {
                    "podSelector": {"matchLabels": {"tier": "front"}},
                    "ingress": [{"ports": [{"port": 443}]}],
                },
                "front",
            ),
        ]
    )
    everyone, web, front = (for_selector(read, effective.selector(one)) for one in read)
    assert everyone.ingress == (True, ())
    assert not everyone.egress.isolated
    assert [one.policy for one in web.ingress.allows] == ["web"]
    assert [one.policy for one in front.ingress.allows] == ["front"]
    both = for_labels(read, {"app": "web", "tier": "front"})
    assert [one.policy for one in both.ingress.allows] == ["web", "front"]
    narrower = LabelSelector(matchLabels={"app": "web", "zone": "a"})
    assert [one.policy for one in for_selector(read, narrower).ingress.allows] == ["web"]
