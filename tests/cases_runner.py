"""Reads the cases of tests/cases and asks the policy, the gate and the program about each.

tests/README.md has the format. Owns no expectation: those are in the cases.
"""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from policies import catalogue
from policies.model import (
    CREATE,
    UPDATE,
    Action,
    Baseline,
    ClusterFacts,
    Policy,
    Request,
    User,
    Violation,
)
from policies.resources import Resource
from webhook.admission.gate import Gate, Offline, Review
from webhook.admission.patch import diff
from webhook.admission.plan import Ruleset, Setting
from webhook.audit import judge, kinds
from webhook.cli import main
from webhook.config import GateConfig, load, ruleset
from webhook.config.yamltext import documents

FOLDER = Path(__file__).parent / "cases"
ACTIONS = {
    "allow": None,
    "deny": Action.DENY,
    "warn": Action.WARN,
    "mutate": Action.MUTATE,
}
"""The prefix of a file and the action that its cases expect."""

CONFIG_HEADER = {"apiVersion": "netreeve.io/v1alpha1", "kind": "GateConfig"}
UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
DEVELOPER = User(username="jane@example.com", groups=("developers", "system:authenticated"))


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One document, as tests/README.md describes it."""

    title: str
    object: dict[str, Any] | None = None
    oldObject: dict[str, Any] | None = None
    operation: str | None = None
    subresource: str = ""
    user: User | None = None
    cluster: ClusterFacts | None = None
    namespaceLabels: dict[str, str] | None = None
    baseline: Baseline | None = None
    early: bool = False
    config: dict[str, Any] | None = None
    fields: tuple[str, ...] = ()
    message: str | None = None
    patch: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Answer:
    """What one way of asking said: findings as (field, message, action), sorted, and the patch."""

    findings: tuple[tuple[str, str, str], ...] = ()
    patch: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Case:
    """A case with the policy it is for, and the action that its file name expects."""

    policy: Policy[Any, Any]
    path: Path
    line: int
    expected: Action | None
    spec: Spec

    @property
    def id(self) -> str:
        return f"{self.policy.id}/{self.path.stem}:{self.line}"

    @property
    def config(self) -> GateConfig:
        return load(json.dumps({**CONFIG_HEADER, **(self.spec.config or {})}), self.id)

    @property
    def operation(self) -> str:
        return self.spec.operation or (UPDATE if self.spec.oldObject is not None else CREATE)

    @property
    def subject(self) -> dict[str, Any]:
        """The object that names what the request is about: on DELETE the old one."""
        subject = self.spec.object if self.spec.object is not None else self.spec.oldObject
        assert subject is not None, f"{self.id}: has neither object nor oldObject"
        return subject

    @property
    def resource(self) -> Resource:
        found = kinds.find(
            kinds.kinds(self.config.workloads), self.subject["apiVersion"], self.subject["kind"]
        )
        assert found, f"{self.id}: no policy reads this kind"
        return found

    @property
    def request(self) -> Request:
        request = judge.creation(self.resource, self.subject, "default")
        return msgspec.structs.replace(
            request,
            operation=self.operation,
            subresource=self.spec.subresource,
            user=self.spec.user or DEVELOPER,
            early=self.spec.early,
            namespaceLabels=None if request.resource == "namespaces" else self.spec.namespaceLabels,
            baseline=self.spec.baseline,
            old=self._old,
            cluster=self.spec.cluster or ClusterFacts(),
        )

    @property
    def _old(self) -> Any:
        """The subject before an UPDATE, for a policy that compares."""
        if self.operation != UPDATE or not self.policy.compares:
            return None
        view = self.resource.decode(msgspec.json.encode(self.spec.oldObject))
        return next(iter(self.resource.subjects(view)), None)

    @property
    def review(self) -> Review:
        old = self.spec.oldObject
        return Review(
            self.request,
            None if self.spec.object is None else msgspec.json.encode(self.spec.object),
            None if old is None else msgspec.json.encode(old),
        )

    @property
    def admission_review(self) -> bytes:
        """The request as the API server sends it."""
        request, group_version = self.request, self.subject["apiVersion"]
        version = group_version.rpartition("/")[2]
        user = request.user
        asked = {
            "uid": UID,
            "kind": {"group": request.group, "version": version, "kind": request.kind},
            "resource": {"group": request.group, "version": version, "resource": request.resource},
            "subResource": request.subresource,
            "name": request.name,
            "namespace": request.namespace,
            "operation": request.operation,
            "userInfo": {"username": user.username, "uid": user.uid, "groups": user.groups},
            "object": self.spec.object,
            "oldObject": self.spec.oldObject,
            "dryRun": False,
        }
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}
        return json.dumps(review).encode()

    @property
    def offline(self) -> bool:
        """Whether a manifest alone can express it: what is written there nobody else filled in."""
        spec = self.spec
        if (
            self.operation != CREATE
            or spec.subresource
            or spec.user
            or spec.cluster
            or spec.baseline
        ):
            return False
        written = replace(self, spec=msgspec.structs.replace(spec, early=True))
        return not self.policy.early or ask_policy(written) == ask_policy(self)


class KnownNamespace(Offline):
    """A cluster as a case describes it: what the server's caches would say."""

    def __init__(self, case: Case | None = None) -> None:
        self.case = case

    def namespace_labels(self, namespace: str) -> dict[str, str] | None:
        return self.case.spec.namespaceLabels if self.case else None

    def baseline(self, namespace: str) -> Baseline | None:
        return self.case.spec.baseline if self.case else None

    def facts(self) -> ClusterFacts:
        return (self.case and self.case.spec.cluster) or ClusterFacts()


def cases() -> list[Case]:
    """Every case of every file. Raises ValueError for a file that is not in the format."""
    return [case for path in sorted(FOLDER.glob("*/*.yaml")) for case in read(path)]


def read(path: Path) -> list[Case]:
    """The cases in one file."""
    known = {policy.id: policy for policy in catalogue()}
    prefix = path.name.partition("-")[0]
    if path.parent.name not in known or prefix not in ACTIONS:
        raise ValueError(f"{path}: must be <policy-id>/{{{','.join(ACTIONS)}}}-<what>.yaml")
    found: list[Case] = []
    for document in documents(path.read_text(encoding="utf-8")):
        try:
            assert not document.problems, str(document.problems[0])
            spec = msgspec.convert(document.value, Spec)
        except (AssertionError, msgspec.ValidationError) as error:
            raise ValueError(f"{path}:{document.line}: {error}") from None
        found.append(Case(known[path.parent.name], path, document.line, ACTIONS[prefix], spec))
    return found


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
    findings = [
        (found.field, found.message, _action(setting, found).value)
        for subject in subjects(before)
        for found in (validate(subject, request, setting.params) if validate else ())
    ]
    if mutate:
        for subject in subjects(after):
            mutate(subject, request, setting.params)
    assert before == decode(body), "a policy must not change what it validates"
    return Answer(tuple(sorted(findings)), tuple(diff(before, after)))


def _action(setting: Setting, found: Violation) -> Action:
    limit = found.at_most or setting.action
    return min(limit, setting.action, key=lambda action: action.strength)


def _setting(case: Case) -> Setting | None:
    rules, request = ruleset(case.config), case.request
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
    setting = step.settings(labels)[0]
    if not judged or setting.action is Action.OFF or request.namespace in rules.excluded_namespaces:
        return None
    return setting


def ask_gate(case: Case) -> Answer:
    """The gate with every policy for findings, and with this one alone for its patch."""
    gate = Gate(ruleset(case.config), KnownNamespace(case))
    verdict = (gate.mutate if case.spec.early else gate.validate)(case.review)
    assert verdict.errors == (), "no policy may raise"
    mutated = alone(case).mutate(case.review)
    readable = all(one.policy == case.policy.id for one in mutated.findings)
    assert readable, "an object of a case must be readable"
    found = (
        (one.violation.field, one.violation.message, one.action.value)
        for one in verdict.findings
        if one.policy == case.policy.id
    )
    return Answer(tuple(sorted(found)), mutated.patch)


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
    """Arguments that check the case; a Namespace beside it tells the labels, where it has any."""
    others = {
        policy.id: {"action": "Off"}
        for policy in catalogue()
        if policy.mutate and policy is not case.policy
    }
    own = case.spec.config or {}
    config = {**CONFIG_HEADER, **own, "policies": {**others, **own.get("policies", {})}}
    items = [case.subject]
    if case.spec.namespaceLabels is not None and case.resource.namespaced:
        metadata = {"name": case.request.namespace, "labels": case.spec.namespaceLabels}
        items.insert(0, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "objects.json").write_text("\n".join(json.dumps(item) for item in items))
    files = [str(folder / "config.json"), str(folder / "objects.json")]
    return ["check", "-o", "json", "--config", *files]


def answer_of(result: dict[str, Any], case: Case) -> Answer:
    """The answer in an object of the JSON report."""
    findings = tuple(
        (found["field"], found["message"], found["action"])
        for found in result["findings"]
        if found["policy"] == case.policy.id
    )
    return Answer(tuple(sorted(findings)), tuple(result["patch"]))


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
        for field in case.spec.fields:
            assert any(line.startswith(f"{field}:"[:70]) for line in lines)


def alone(case: Case) -> Gate:
    """A gate with the policy of the case only."""
    rules = ruleset(case.config)
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
