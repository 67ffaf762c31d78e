"""A small cluster in the test process: the gate in front of a store, and who has which rights.

Plays the API server's part as far as exemptions need it: both webhook passes, questions answered
by a table, generated names. What is true of the API server itself is tested against a real one.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonpatch

from policies.model import CREATE, UPDATE, Request, Right, User
from webhook.admission import messages
from webhook.admission.cluster import Offline
from webhook.admission.gate import Gate, Review
from webhook.admission.ruleset import Ruleset
from webhook.admission.verdict import Verdict
from webhook.config import GateConfig, ruleset
from webhook.exemptions.claim import EXEMPT, REASON, UNTIL, only
from webhook.exemptions.stamp import KeyRing, Keys

NOW = 1_795_262_400.0
"""2026-11-21T12:00:00Z."""
TOMORROW, NEXT_YEAR = "2026-11-22", "2027-06-30"
KUBE = "system:serviceaccount:kube-system:"
OLD_KEY, KEY, OTHER_KEY = b"o" * 32, b"k" * 32, b"x" * 32
STANDARD = ruleset(GateConfig())

_KINDS = {
    "pods": ("", "Pod"),
    "services": ("", "Service"),
    "namespaces": ("", "Namespace"),
    "deployments": ("apps", "Deployment"),
    "replicasets": ("apps", "ReplicaSet"),
    "statefulsets": ("apps", "StatefulSet"),
    "jobs": ("batch", "Job"),
    "cronjobs": ("batch", "CronJob"),
    "rollouts": ("argoproj.io", "Rollout"),
}


def claim(*policies: str, **changed: str | None) -> dict[str, str]:
    """Annotations that claim an exemption; ``until``, ``reason`` ... instead of the usual."""
    texts: dict[str, str | None] = {
        EXEMPT: ",".join(policies or ("host-network",)),
        REASON: "It counts the packets of the node.",
        UNTIL: NEXT_YEAR,
    }
    texts |= {f"{EXEMPT}-{name}": text for name, text in changed.items()}
    return {name: text for name, text in texts.items() if text is not None}


def spec(*, host_network: bool = True, host_port: int | None = None) -> dict[str, Any]:
    ports = [{"containerPort": 80, "hostPort": host_port}] if host_port else []
    found: dict[str, Any] = {"containers": [{"name": "main", "image": "example.com/main:1"}]}
    if ports:
        found["containers"][0]["ports"] = ports
    return {**found, "hostNetwork": True} if host_network else found


def workload(
    annotations: dict[str, str] | None = None, *, name: str = "web", own: Any = None, **of: Any
) -> dict[str, Any]:
    """A Deployment or what looks like one; ``own``: annotations beside the template."""
    template = {"metadata": {"annotations": annotations or {}}, "spec": spec(**of)}
    return {
        "metadata": {"name": name, "annotations": own or {}},
        "spec": {"replicas": 1, "template": template},
    }


def pod(annotations: dict[str, str] | None = None, *, name: str = "web", **of: Any) -> Any:
    return {"metadata": {"name": name, "annotations": annotations or {}}, "spec": spec(**of)}


def node_port(annotations: dict[str, str] | None = None, number: int = 0) -> dict[str, Any]:
    port = {"port": 80, "nodePort": number} if number else {"port": 80}
    meta = {"name": "web", "annotations": annotations or {}}
    return {"metadata": meta, "spec": {"type": "NodePort", "ports": [port]}}


def namespace(annotations: dict[str, str] | None = None, name: str = "dev") -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": annotations or {}}}


def owned(obj: dict[str, Any], api_version: str, kind: str, name: str) -> dict[str, Any]:
    reference = {"apiVersion": api_version, "kind": kind, "name": name, "controller": True}
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": [reference]}}


class Answer:
    """What a client gets. object: as it is stored, where it is allowed."""

    def __init__(self, request: Request, verdict: Verdict, obj: dict[str, Any]) -> None:
        self.verdict, self.object = verdict, obj
        self.allowed = verdict.allowed
        self.text = "" if self.allowed else messages.denial(request, verdict)
        self.warnings = messages.warnings(verdict)


class World(Offline):
    """rights: (user, policy, namespace); "" for every policy, and for the whole cluster."""

    def __init__(self, rules: Ruleset = STANDARD) -> None:
        self.ring = KeyRing(Keys(KEY))
        self.gate = Gate(rules, self, keys=self.ring)
        self.rights: set[tuple[str, str, str]] = set()
        self.now = NOW
        self.down = False
        self.asked: list[tuple[str, Right]] = []
        self.store: dict[tuple[str, str, str], dict[str, Any]] = {}

    def exemption(self, namespace: str) -> dict[str, str]:
        stored = self.store.get(("namespaces", "", namespace), {})
        return only(stored.get("metadata", {}).get("annotations"))

    def has(self, user: str, right: Right) -> bool:
        return any(
            (user, policy, where) in self.rights
            for policy in {right.name, ""}
            for where in {right.namespace, ""}
        )

    def send(
        self,
        user: str,
        resource: str,
        obj: dict[str, Any],
        *,
        where: str = "dev",
        mutating: bool = True,
        validating: bool = True,
        dry_run: bool = False,
        subresource: str = "",
    ) -> Answer:
        """Create or update as a user. mutating, validating: false skips the webhook."""
        place = "" if resource == "namespaces" else where
        name = obj["metadata"].get("name", "")
        old = self.store.get((resource, place, name)) if name else None
        group, kind = _KINDS[resource]
        request = Request(
            operation=CREATE if old is None else UPDATE,
            group=group, resource=resource, subresource=subresource, kind=kind,
            namespace=name if resource == "namespaces" else where, name=name, user=User(user),
        )  # fmt: skip
        if mutating:
            verdict = self._ask(self.gate.mutate, request, obj, old)
            if not verdict.allowed:
                return Answer(request, verdict, obj)
            obj = jsonpatch.apply_patch(obj, list(verdict.patch))
        if not name:
            meta = obj["metadata"]
            obj = {**obj, "metadata": {**meta, "name": f"{meta['generateName']}x7k2p"}}
        verdict = self._ask(self.gate.validate, request, obj, old) if validating else Verdict()
        answer = Answer(request, verdict, obj)
        if answer.allowed and not dry_run:
            self.store[resource, place, obj["metadata"]["name"]] = copy.deepcopy(obj)
        return answer

    def _ask(self, judge: Any, request: Request, obj: Any, old: Any) -> Verdict:
        before = None if old is None else json.dumps(old).encode()
        review = Review(request, json.dumps(obj).encode(), before, self.now)
        verdict: Verdict = judge(review)
        if not verdict.questions:
            return verdict
        user = request.user.username
        self.asked += [(user, right) for right in verdict.questions]
        answers = {right: self.has(user, right) for right in verdict.questions}
        again: Verdict = judge(review, {} if self.down else answers)
        return again

    def replica_set(self, name: str = "web", digest: str = "6d4cf56db6") -> Answer:
        """What the deployment controller makes of a stored Deployment."""
        template = self.store["deployments", "dev", name]["spec"]["template"]
        made = {"metadata": {"name": f"{name}-{digest}"}, "spec": {"template": template}}
        made = owned(made, "apps/v1", "Deployment", name)
        return self.send(f"{KUBE}deployment-controller", "replicasets", made)

    def pod_of(self, name: str = "web-6d4cf56db6") -> Answer:
        """What the replica set controller makes of a stored ReplicaSet."""
        template = self.store["replicasets", "dev", name]["spec"]["template"]
        meta = {"generateName": f"{name}-", **template["metadata"]}
        made = owned({"metadata": meta, "spec": template["spec"]}, "apps/v1", "ReplicaSet", name)
        return self.send(f"{KUBE}replicaset-controller", "pods", made)
