"""The three ways to a verdict, each wired as the program wires it: a review over ASGI, an object
that is stored, a manifest. Compares nothing.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from starlette.types import Message

from policies.model import CREATE, NOTHING_KNOWN, ClusterFacts, Right, User
from policies.network_policies.views import NetworkPolicy
from policies.resources import Resource
from tests.audit.given import parsed
from webhook.admission.cluster import Offline
from webhook.admission.gate import Gate
from webhook.admission.ratchet import Answers
from webhook.admission.review import AdmissionRequest
from webhook.admission.ruleset import Ruleset
from webhook.admission.verdict import Finding, Verdict
from webhook.audit.background.kept import MOST_FINDINGS, Followed, Seen
from webhook.audit.check import check
from webhook.audit.findings import Result
from webhook.audit.judge import apply
from webhook.audit.live.judging import Judge, Kind
from webhook.audit.live.provenance import Provenance
from webhook.audit.live.surroundings import Surroundings
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster
from webhook.exemptions.claim import only
from webhook.exemptions.stamp import KeyRing, Keys
from webhook.exemptions.standing import Trust
from webhook.server.app import Webhook

Json = dict[str, Any]
BASELINE_RIGHT = "baseline"
"""What lifts denials of baseline-guard; an audit cannot ask who may."""


class Around(NamedTuple):
    """The cluster around an object. namespaces: as they are stored; policies: NetworkPolicies."""

    namespaces: tuple[Json, ...] = ()
    policies: tuple[Json, ...] = ()
    facts: ClusterFacts = NOTHING_KNOWN

    @property
    def labels(self) -> dict[str, Mapping[str, str]]:
        return {one["metadata"]["name"]: one["metadata"]["labels"] for one in self.namespaces}

    @property
    def exemptions(self) -> dict[str, Mapping[str, str]]:
        found = {one["metadata"]["name"]: one["metadata"] for one in self.namespaces}
        return {name: only(meta.get("annotations")) for name, meta in found.items()}

    def policies_of(self, namespace: str) -> tuple[NetworkPolicy, ...]:
        here = (one for one in self.policies if one["metadata"]["namespace"] == namespace)
        return tuple(msgspec.convert(one, NetworkPolicy) for one in here)


class _Cache(Offline):
    """What the server's caches say of it."""

    def __init__(self, around: Around) -> None:
        self._around = around

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        return self._around.labels.get(namespace)

    def network_policies(self, namespace: str) -> tuple[NetworkPolicy, ...] | None:
        return self._around.policies_of(namespace)

    def facts(self) -> ClusterFacts:
        return self._around.facts

    def exemption(self, namespace: str) -> Mapping[str, str]:
        return self._around.exemptions.get(namespace, {})


class _Rights(NamedTuple):
    may: bool

    async def allowed(self, user: User, rights: Collection[Right]) -> Answers:
        return {right: self.may and right.name != BASELINE_RIGHT for right in rights}


class _Recorder:
    """Keeps the verdict; nothing may go wrong."""

    verdict = Verdict()

    def reviewed(
        self, webhook: str, asked: AdmissionRequest, verdict: Verdict, started: float, trace: bytes
    ) -> None:
        self.verdict = verdict

    def refused(self, error: str, detail: str, uid: str = "") -> None:
        raise AssertionError(detail)

    def failed(self, error: Exception, uid: str) -> None:
        raise error

    def shed(self) -> None:
        raise AssertionError

    def knows(self, resources: Iterable[tuple[str, str]]) -> None:
        raise AssertionError

    def config_loaded(self, *, ok: bool, at: datetime) -> None:
        raise AssertionError

    def certificate_loaded(self, *, ok: bool, not_after: datetime | None) -> None:
        raise AssertionError


class Admitted(NamedTuple):
    """Of the mutating pass and of the validating one, and the object between them."""

    early: Verdict
    late: Verdict
    object: Json


class Admission:
    """Answers reviews as `netreeve serve` does. may: whether whoever writes may exempt."""

    def __init__(
        self, rules: Ruleset, around: Around, keys: Keys, now: float, *, may: bool
    ) -> None:
        self._recorder = _Recorder()
        gate = Gate(rules, _Cache(around), keys=KeyRing(keys))
        self._webhook = Webhook(gate, self._recorder, access=_Rights(may), clock=lambda: now)

    def create(self, resource: Resource, obj: Json, user: str) -> Admitted:
        """What the API server does with a new object, denied by the first pass or not."""
        early, patch = self._ask("/mutate", resource, obj, user)
        between = apply(obj, tuple(patch))
        late, _ = self._ask("/validate", resource, between, user)
        return Admitted(early, late, between)

    def _ask(
        self, path: str, resource: Resource, obj: Json, user: str
    ) -> tuple[Verdict, list[Json]]:
        self._recorder.verdict = Verdict()
        sent = list[Message]()

        async def receive() -> Message:
            return {
                "type": "http.request",
                "body": _review(resource, obj, user),
                "more_body": False,
            }

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "path": path, "method": "POST", "headers": headers}
        asyncio.run(self._webhook(scope, receive, send))
        response = json.loads(sent[1]["body"])["response"]
        verdict = self._recorder.verdict
        assert response["allowed"] == verdict.allowed
        return verdict, json.loads(base64.b64decode(response.get("patch", b"W10=")))


def _review(resource: Resource, obj: Json, user: str) -> bytes:
    meta = obj["metadata"]
    request = {
        "uid": "1",
        "operation": CREATE,
        "kind": {"group": resource.group, "version": "v1", "kind": resource.kind},
        "resource": {"group": resource.group, "version": "v1", "resource": resource.resource},
        "name": meta["name"],
        "namespace": meta["namespace"] if resource.namespaced else meta["name"],
        "userInfo": {"username": user, "groups": ["system:authenticated"]},
        "object": obj,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(review).encode()


def audited(  # noqa: PLR0917
    rules: Ruleset, around: Around, keys: Keys, now: float, resource: Resource, obj: Json
) -> tuple[Finding, ...]:
    """Of an object that is stored, as `netreeve audit` and the audit in the background judge it."""
    spaces = {one["metadata"]["namespace"] for one in around.policies}
    policies = {name: around.policies_of(name) for name in spaces}
    stored_around = Surroundings(around.labels, policies, around.facts, around.exemptions)
    judge = Judge(rules, stored_around, Provenance((), User()), lambda: now, keys)
    kind, body = Kind(resource, obj["apiVersion"]), msgspec.Raw(json.dumps(obj).encode())
    stored = kind.read(body)
    found = judge.findings(kind, stored, body)
    followed = Followed(
        Connection(InCluster(), user_agent="test"), kind, lambda: judge, lambda: None
    )
    kept = followed.keep(Seen(stored, body))
    assert judge.result(kind, kept.stored, kept.findings) == judge.result(
        kind, stored, found[:MOST_FINDINGS]
    )
    return found


def checked(
    rules: Ruleset, manifests: Iterable[Json], namespace: str, now: float, trust: Trust
) -> Result:
    """The last of the manifests, as `netreeve check` judges it in the light of the others."""
    text = "\n---\n".join(json.dumps(one) for one in manifests)
    report = check(parsed(text), rules, namespace, now=now, trust=trust)
    assert report.unreadable == ()
    return report.results[-1]
