"""Every case of tests/cases gets its verdict, whichever way it is asked for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jsonpatch
import msgspec
import pytest

from policies import catalogue
from policies.model import Action, Policy
from tests.cases_runner import ACTIONS, FOLDER, Case, alone, ask_gate, ask_policy, cases, check
from webhook.admission.gate import Review
from webhook.audit.judge import apply

CASES = cases()
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
mutating = pytest.mark.parametrize(
    "case", [case for case in CASES if case.expected is Action.MUTATE], ids=lambda case: case.id
)
FEWEST = 12


@every_case
def test_the_policy_says_what_the_case_expects(case: Case) -> None:
    answer = ask_policy(case)
    if answer is None:  # excluded, switched off, or an operation that it does not judge
        assert case.expected is None
    elif case.operation == "CREATE":
        check(case, answer)
    else:  # the ratchet of the gate may soften Deny to Warn
        assert [field for field, _, _ in answer.findings] == sorted(case.spec.fields)


@every_case
def test_the_gate_says_what_the_case_expects(case: Case) -> None:
    check(case, ask_gate(case))


@mutating
def test_the_patch_applies_and_a_second_one_is_empty(case: Case) -> None:
    patch: Any = case.spec.patch
    once = jsonpatch.JsonPatch(patch).apply(case.subject)
    again = alone(case).mutate(Review(case.request, msgspec.json.encode(once)))
    assert again.patch == ()
    assert apply(case.subject, tuple(patch)) == once


@pytest.mark.parametrize("policy", catalogue(), ids=lambda policy: policy.id)
def test_every_policy_has_cases_on_both_sides(policy: Policy[Any, Any]) -> None:
    counted = Counter(case.expected for case in CASES if case.policy is policy)
    assert counted.total() >= FEWEST
    assert counted[None] > 0
    if policy.mutate:
        assert counted[Action.MUTATE] > 0
    else:
        assert counted[Action.DENY] + counted[Action.WARN] > 0


def test_nothing_else_lies_among_the_cases() -> None:
    """A file with another ending, or a folder of no policy, would be silently left out."""
    strays = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".yaml"]
    assert strays == []
    assert {path.name for path in FOLDER.iterdir()} <= {policy.id for policy in catalogue()}


@pytest.mark.parametrize("prefix", ACTIONS)
def test_a_judging_policy_has_no_mutate_cases_and_the_reverse(prefix: str) -> None:
    for case in CASES:
        if case.path.name.startswith(f"{prefix}-") and prefix != "allow":
            assert (prefix == "mutate") == (case.policy.mutate is not None)
