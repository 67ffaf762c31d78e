"""Manifests are judged in the light of the others: namespaces as the gate leaves them, policies."""

from __future__ import annotations

import pytest

from tests.audit.given import parsed
from tests.config.given import HEAD
from webhook.audit.check import check
from webhook.audit.findings import Result
from webhook.config import load, ruleset

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop%s}\n"
POLICY = (
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s, namespace: %s}\n"
    "spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: %s}}]}]}\n"
)
OPEN = POLICY % ("open", "shop", "0.0.0.0/0")
HALVES = [POLICY % ("low", "shop", "0.0.0.0/1"), POLICY % ("high", "shop", "128.0.0.0/1")]


def cancelled(*manifests: str, config: str = "", namespace: str = "default") -> list[str]:
    """The names of the policies that undo the default-deny, of what is judged."""

    def is_found(result: Result) -> bool:
        return any(one.policy == "baseline-cancelled" for one in result.findings)

    inputs = parsed("---\n".join(manifests))
    found = check(inputs, ruleset(load(HEAD + config)), namespace)
    assert found.unreadable == ()
    return [one.name for one in found.results if is_found(one)]


@pytest.mark.parametrize(
    ("namespace", "config", "found"),
    [
        ("", "", ["open"]),  # it gets a baseline when it is created
        ("", "baseline: {enabled: false}", []),
        ("", "policies: {baseline-label: {action: Off}}", []),
        ("", "baseline: {excludedNamespaces: [shop]}", []),
        (", labels: {netreeve.io/baseline: default-deny}", "baseline: {enabled: false}", ["open"]),
        (", labels: 3", "", []),
    ],
)
def test_a_namespace_has_the_baseline_that_the_gate_gives_it(
    namespace: str, config: str, found: list[str]
) -> None:
    assert cancelled(NAMESPACE % namespace, OPEN, config=config) == found
    assert cancelled(OPEN, NAMESPACE % namespace, config=config) == found


def test_of_a_namespace_that_is_not_there_the_worst_is_assumed() -> None:
    assert cancelled(OPEN) == ["open"]


def test_policies_are_judged_with_the_others_of_their_namespace() -> None:
    assert cancelled(NAMESPACE % "", *HALVES) == ["low", "high"]
    assert cancelled(NAMESPACE % "", HALVES[0], POLICY % ("high", "pay", "128.0.0.0/1")) == []


def test_policies_without_a_namespace_are_together_in_the_default_one() -> None:
    bare = [one.replace(", namespace: shop", "") for one in HALVES]
    assert cancelled(*bare, namespace="shop") == ["low", "high"]
    assert cancelled(HALVES[0], bare[1], namespace="shop") == ["low", "high"]
    assert cancelled(HALVES[0], bare[1]) == []


@pytest.mark.parametrize(
    "spoilt", ["spec: 3", 'spec: {podSelector: {matchLabels: {a: "\\ud800"}}}']
)
def test_a_policy_that_cannot_be_read_does_not_keep_others_from_being_judged(spoilt: str) -> None:
    text = f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: x}}\n{spoilt}"
    inputs = parsed("---\n".join([f"{text}\n", NAMESPACE % "", OPEN]))
    found = check(inputs, ruleset(load(HEAD)))
    assert [one.name for one in found.results][-2:] == ["shop", "open"]
