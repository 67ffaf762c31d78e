"""When something has to be written, and when a namespace is covered."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from policies.baseline import objects
from policies.baseline.config import Baseline, BaselineConfig
from policies.baseline.facts import Facts
from policies.baseline.objects import Namespace, Observed, is_as_wanted, is_covered, plan
from tests.policies.baseline.given import Given

SHOP = Namespace("shop", "uid-1")
GENERATED = Given("kubeadm").plan().generated


def _observed(index: int, namespace: Namespace = SHOP, **changed: Any) -> Observed:
    """A generated policy as the API server would show it."""
    found = copy.deepcopy(objects.manifest(GENERATED[index], namespace, "default-deny"))
    metadata = found["metadata"]
    return Observed(
        metadata["name"], metadata["labels"], metadata["annotations"], found["spec"]
    )._replace(**changed)


@pytest.mark.parametrize("index", range(len(GENERATED)))
def test_what_was_applied_is_as_wanted(index: int) -> None:
    assert is_as_wanted(_observed(index), GENERATED[index], SHOP, "default-deny")


def test_labels_and_annotations_of_others_are_left_alone() -> None:
    observed = _observed(0)
    labels = {**observed.labels, "argocd.argoproj.io/instance": "x"}
    annotations = {**observed.annotations, "note": "mine", objects.WHY: "worded otherwise"}
    changed = observed._replace(labels=labels, annotations=annotations)
    assert is_as_wanted(changed, GENERATED[0], SHOP, "default-deny")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"labels": {}},
        {"labels": {"app.kubernetes.io/managed-by": "netreeve"}},
        {"labels": {"app.kubernetes.io/managed-by": "me", "netreeve.io/baseline": "default-deny"}},
        {"labels": {"app.kubernetes.io/managed-by": "netreeve", "netreeve.io/baseline": "open"}},
        {"annotations": {}},
        {"annotations": {"netreeve.io/namespace-uid": "uid-0"}},
        {"spec": {}},
        {"spec": {**GENERATED[0].spec, "egress": [{}]}},
        {"spec": {**GENERATED[0].spec, "policyTypes": ["Ingress", "Egress"]}},
        {"spec": {**GENERATED[0].spec, "aFieldOfTheFuture": True}},
    ],
)
def test_whatever_matters_and_differs_is_written_again(change: dict[str, Any]) -> None:
    assert not is_as_wanted(_observed(0, **change), GENERATED[0], SHOP, "default-deny")


def test_a_namespace_is_covered_by_its_own_default_deny() -> None:
    assert is_covered(SHOP, [_observed(0), _observed(-1)])
    assert is_covered(SHOP, [_observed(-1)])


@pytest.mark.parametrize(
    "policies",
    [
        [],
        [_observed(0)],
        [_observed(-1, Namespace("shop", "uid-0"))],
        [_observed(-1, labels={})],
        [_observed(-1, labels={"app.kubernetes.io/managed-by": "netreeve"})],
        [
            _observed(
                -1, spec={"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Egress"]}
            )
        ],
        [_observed(-1, name="default-deny-2")],
    ],
)
def test_nothing_else_covers_it(policies: list[Observed]) -> None:
    assert not is_covered(SHOP, policies)


def test_no_uid_covers_nothing_that_has_one() -> None:
    """A policy without the annotation is not taken for one of a namespace without uid."""
    assert not is_covered(Namespace("shop", ""), [_observed(-1, annotations={})])


def test_without_dns_existing_policies_are_left_as_they_are() -> None:
    environment = objects.environment(BaselineConfig(), Facts())
    found = plan(environment, Baseline(), SHOP)
    assert found.hold
    assert found.generated == ()


def test_manifests_share_nothing_that_can_be_changed_by_accident() -> None:
    """Whoever edits a manifest must not change what the next namespace gets."""
    first = objects.manifest(GENERATED[-1], SHOP, "default-deny")
    first["spec"]["policyTypes"].remove("Ingress")
    second = objects.manifest(Given("kubeadm").plan().generated[-1], SHOP, "default-deny")
    assert second["spec"]["policyTypes"] == ["Ingress", "Egress"]
