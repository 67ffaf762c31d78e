"""The cases of tests/cases as data, in the format of tests/README.md. Asks nobody about them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
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
)
from policies.network_policies.views import NetworkPolicy
from policies.resources import Resource
from webhook.admission.gate import Review
from webhook.admission.ruleset import Ruleset
from webhook.audit import judge, kinds
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
    otherPolicies: tuple[dict[str, Any], ...] = ()
    early: bool = False
    config: dict[str, Any] | None = None
    fields: tuple[str, ...] = ()
    message: str | None = None
    fix: str | None = None
    patch: list[dict[str, Any]] | None = None


@cache
def _loaded(config: str) -> GateConfig:
    return load(config)


@cache
def _resolved(config: str) -> Ruleset:
    return ruleset(_loaded(config))


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
        return _loaded(json.dumps({**CONFIG_HEADER, **(self.spec.config or {})}))

    @property
    def rules(self) -> Ruleset:
        return _resolved(json.dumps({**CONFIG_HEADER, **(self.spec.config or {})}))

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
            otherPolicies=self.other_policies,
            old=self._old,
            cluster=self.spec.cluster or ClusterFacts(),
        )

    @property
    def other_policies(self) -> tuple[NetworkPolicy, ...] | None:
        """Not known where the case has none."""
        found = tuple(msgspec.convert(one, NetworkPolicy) for one in self.spec.otherPolicies)
        return found or None

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
