"""Every case of tests/cases gets its verdict, whichever way it is asked for."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonpatch
import msgspec
import pytest

from policies import catalogue
from policies.model import Action, Policy
from tests.cases_format import ACTIONS, FOLDER, Case, cases
from tests.cases_runner import (
    KnownNamespace,
    alone,
    answer_of,
    ask_command_line,
    ask_gate,
    ask_policy,
    check,
    check_validation,
    is_offline,
)
from tests.server.clients import Client
from tests.server.running import Running, running
from webhook.admission.gate import Gate, Review
from webhook.audit.judge import apply, namespace_labels

CASES = cases()
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
mutating = pytest.mark.parametrize(
    "case", [case for case in CASES if case.expected is Action.MUTATE], ids=lambda case: case.id
)
offline = pytest.mark.parametrize(
    "case", [case for case in CASES if is_offline(case)], ids=lambda case: case.id
)
FEWEST = 12


@every_case
def test_the_policy_says_what_the_case_expects(case: Case) -> None:
    answer = ask_policy(case)
    if answer is None:  # excluded, switched off, or an operation that it does not judge
        assert case.expected is None
    elif case.operation == "CREATE":
        check(case, answer)
    else:  # the ratchet of the gate may soften Deny to Warn, which an early pass leaves out
        fields = [field for field, _, _ in answer.findings]
        assert fields == sorted(case.spec.fields) or (
            case.spec.early and set(fields) > set(case.spec.fields)
        )


@every_case
def test_the_gate_says_what_the_case_expects(case: Case) -> None:
    check(case, ask_gate(case))


@pytest.mark.slow
@offline
def test_the_command_line_says_what_the_case_expects(case: Case, tmp_path: Path) -> None:
    answer = ask_command_line(case, tmp_path)
    if case.request.resource == "namespaces" and case.request.name and answer.patch:
        # The command line adds the label of the name first, so labels may be there already.
        completed = {**case.subject, "metadata": {**case.subject["metadata"]}}
        completed["metadata"]["labels"] = namespace_labels(case.subject)
        patched = jsonpatch.JsonPatch(case.spec.patch or []).apply(case.subject)
        patched["metadata"]["labels"] = namespace_labels(patched)
        assert jsonpatch.JsonPatch(list(answer.patch)).apply(completed) == patched
    else:
        check(case, answer)


def test_the_program_says_what_the_cases_expect(tmp_path: Path) -> None:
    """All cases without a configuration at once, in a process of its own."""
    plain = [
        case for case in CASES if is_offline(case) and not case.spec.config and case.policy.validate
    ]
    # Namespaces would lend their labels to the others, and NetworkPolicies are judged together.
    plain = [
        case
        for case in plain
        if case.spec.namespaceLabels is None
        and case.resource.namespaced
        and case.resource.resource != "networkpolicies"
    ]
    file = tmp_path / "objects.yaml"
    file.write_text("---\n".join(f"{json.dumps(case.subject)}\n" for case in plain))
    command = [sys.executable, "-m", "webhook", "check", "-o", "json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    objects = json.loads(done.stdout)["objects"]
    for case, result in zip(plain, objects, strict=True):
        answer = answer_of(result, case)
        check(case, replace(answer, patch=()))


@pytest.fixture(scope="module")
def cluster() -> KnownNamespace:
    return KnownNamespace()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, cluster: KnownNamespace) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("cases"), cluster=cluster) as found:
        yield found


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[Client]:
    found = Client(server.reviews, server.ca)
    yield found
    found.close()


@pytest.mark.slow
@every_case
def test_the_server_says_what_the_case_expects(
    case: Case, server: Running, client: Client, cluster: KnownNamespace
) -> None:
    cluster.case = case
    server.webhook.set_gate(Gate(case.rules, cluster))
    path = "/mutate" if case.spec.early else "/validate"
    check_validation(case, client.ask(path, case.admission_review).review)
    server.webhook.set_gate(alone(case))
    response = client.ask("/mutate", case.admission_review).review
    assert response["allowed"] is True or case.policy.early
    patch = json.loads(base64.b64decode(response["patch"])) if "patch" in response else None
    assert patch == case.spec.patch


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
