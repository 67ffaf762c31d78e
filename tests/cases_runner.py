"""Asks the policy, the gate and the command line about a case, and compares the answers.

Owns no expectation: those are in the cases.
"""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from policies import catalogue
from policies.model import (
    CREATE,
    Action,
    Baseline,
    ClusterFacts,
    Violation,
)
from policies.network_policies.views import NetworkPolicy
from tests.cases_format import CONFIG_HEADER, Case
from webhook.admission.cluster import Offline
from webhook.admission.gate import Gate
from webhook.admission.patch import diff
from webhook.admission.ruleset import Ruleset, Setting
from webhook.cli import main


@dataclass(frozen=True)
class Answer:
    """What one way of asking said: findings as (field, message, action), sorted, and the patch.

    fixes: what to do about the findings; it does not tell one answer from another.
    """

    findings: tuple[tuple[str, str, str], ...] = ()
    patch: tuple[dict[str, Any], ...] = ()
    fixes: tuple[str, ...] = field(default=(), compare=False)


class KnownNamespace(Offline):
    """A cluster as a case describes it: what the server's caches would say."""

    def __init__(self, case: Case | None = None) -> None:
        self.case = case

    def namespace_labels(self, namespace: str) -> dict[str, str] | None:
        return self.case.spec.namespaceLabels if self.case else None

    def baseline(self, namespace: str) -> Baseline | None:
        return self.case.spec.baseline if self.case else None

    def network_policies(self, namespace: str) -> tuple[NetworkPolicy, ...] | None:
        return self.case.other_policies if self.case else None

    def facts(self) -> ClusterFacts:
        return (self.case and self.case.spec.cluster) or ClusterFacts()


def ask_policy(case: Case) -> Answer | None:
    """The policy's own functions; None where the gate would not ask it at all."""
    request, setting = case.request, _setting(case)
    if setting is None:
        return None
    decode, subjects = case.resource.decode, case.resource.subjects
    body = case.review.object or case.review.old
    assert body is not None
    before, after = decode(body), decode(body)
    validate, mutate = case.policy.validate, case.policy.mutate
    found = [
        one
        for subject in subjects(before)
        for one in (validate(subject, request, setting.params) if validate else ())
    ]
    findings = [(one.field, one.message, _action(setting, one).value) for one in found]
    if mutate:
        for subject in subjects(after):
            mutate(subject, request, setting.params)
    assert before == decode(body), "a policy must not change what it validates"
    fixes = tuple(one.fix for one in found)
    return Answer(tuple(sorted(findings)), tuple(diff(before, after)), fixes)


def _action(setting: Setting, found: Violation) -> Action:
    limit = found.at_most or setting.action
    return min(limit, setting.action, key=lambda action: action.strength)


def _setting(case: Case) -> Setting | None:
    rules, request = case.rules, case.request
    resource = "/".join(filter(None, (request.resource, request.subresource)))
    step = next(step for step in rules.steps if step.policy is case.policy)
    custom = {(one.group, one.resource) for one in rules.workloads}
    judged = (request.group, resource) in custom or any(
        (rule.group, rule.resource) == (request.group, resource)
        and request.operation in rule.operations
        for rule in case.policy.rules
    )
    labels = request.namespaceLabels
    if request.resource == "namespaces":
        labels = case.subject["metadata"].get("labels") or {}
    setting = step.settings(labels, request.namespace)[0]
    if not judged or setting.action is Action.OFF or request.namespace in rules.excluded_namespaces:
        return None
    return setting


def ask_gate(case: Case) -> Answer:
    """The gate with every policy for findings, and with this one alone for its patch."""
    gate = Gate(case.rules, KnownNamespace(case))
    verdict = (gate.mutate if case.spec.early else gate.validate)(case.review)
    assert verdict.errors == (), "no policy may raise"
    mutated = alone(case).mutate(case.review)
    readable = all(one.policy == case.policy.id for one in mutated.findings)
    assert readable, "an object of a case must be readable"
    own = [one for one in verdict.findings if one.policy == case.policy.id]
    found = ((one.violation.field, one.violation.message, one.action.value) for one in own)
    return Answer(tuple(sorted(found)), mutated.patch, tuple(one.violation.fix for one in own))


def is_offline(case: Case) -> bool:
    """Whether a manifest alone can express it: what is written there nobody else filled in."""
    spec = case.spec
    if case.operation != CREATE or spec.subresource or spec.user or spec.cluster or spec.baseline:
        return False
    written = replace(case, spec=msgspec.structs.replace(spec, early=True))
    return not case.policy.early or ask_policy(written) == ask_policy(case)


def ask_command_line(case: Case, folder: Path) -> Answer:
    """``netreeve check -o json`` in this process, with other mutating policies switched off."""
    arguments = command_line(case, folder)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(arguments)
    report = json.loads(out.getvalue())
    assert report["unreadable"] == []
    assert code == (1 if report["summary"]["denied"] else 0)
    return answer_of(report["objects"][-1], case)


def command_line(case: Case, folder: Path) -> list[str]:
    """Arguments that check the case, with what it knows of its namespace beside it."""
    others = {
        policy.id: {"action": "Off"}
        for policy in catalogue()
        if policy.mutate and policy is not case.policy
    }
    own = case.spec.config or {}
    config = {**CONFIG_HEADER, **own, "policies": {**others, **own.get("policies", {})}}
    items = [*case.spec.otherPolicies, case.subject]
    if case.spec.namespaceLabels is not None and case.resource.namespaced:
        metadata = {"name": case.request.namespace, "labels": case.spec.namespaceLabels}
        items.insert(0, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "objects.json").write_text("\n".join(json.dumps(item) for item in items))
    files = [str(folder / "config.json"), str(folder / "objects.json")]
    return ["check", "-o", "json", "--config", *files]


def answer_of(result: dict[str, Any], case: Case) -> Answer:
    """The answer in an object of the JSON report."""
    own = [found for found in result["findings"] if found["policy"] == case.policy.id]
    findings = ((found["field"], found["message"], found["action"]) for found in own)
    fixes = tuple(found["fix"] for found in own)
    return Answer(tuple(sorted(findings)), tuple(result["patch"]), fixes)


def check_validation(case: Case, response: dict[str, Any]) -> None:
    """The answer of /validate: the policy speaks where the case expects it, and nowhere else."""
    own = f"{case.policy.id}: "
    denials = [
        line.removeprefix(f"- {own}")
        for line in response.get("status", {}).get("message", "").splitlines()
        if line.startswith(f"- {own}")
    ]
    warnings = [
        line.removeprefix(own) for line in response.get("warnings", ()) if line.startswith(own)
    ]
    denies, warns = case.expected is Action.DENY, case.expected is Action.WARN
    _check_lines(case, denials if denies else [], denials)
    _check_lines(case, warnings if warns else [], warnings)
    if denies:
        assert response["allowed"] is False
        assert response["status"]["code"] == 403
        assert case.spec.message is None or any(case.spec.message in line for line in denials)
    if denies or warns:
        assert own in response["auditAnnotations"][case.path.name.partition("-")[0]]


def _check_lines(case: Case, expected: list[str], lines: list[str]) -> None:
    assert lines == expected
    if lines:
        assert len(lines) == len(case.spec.fields)
        for path in case.spec.fields:
            assert any(line.startswith(f"{path}:"[:70]) for line in lines)


def alone(case: Case) -> Gate:
    """A gate with the policy of the case only."""
    rules = case.rules
    steps = tuple(step for step in rules.steps if step.policy is case.policy)
    return Gate(Ruleset(steps, rules.workloads, rules.excluded_namespaces), KnownNamespace(case))


def check(case: Case, answer: Answer) -> None:
    """Fails with what differs between the answer and what the case expects."""
    spec = case.spec
    if case.expected is Action.MUTATE:
        assert answer.findings == ()
        assert answer.patch != (), "must change the object"
        assert spec.patch is not None, f"{case.id}: a mutate case must state its patch"
        assert list(answer.patch) == spec.patch
        return
    assert answer.patch == ()
    assert [field for field, _, _ in answer.findings] == sorted(spec.fields)
    if case.expected is None:
        return
    assert answer.findings, f"must be found, under {case.expected.value}"
    assert {action for _, _, action in answer.findings} == {case.expected.value}
    if spec.message is not None:
        assert any(spec.message in message for _, message, _ in answer.findings)
    if spec.fix is not None:
        assert any(spec.fix in fix for fix in answer.fixes)
