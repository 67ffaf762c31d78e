"""Pods as the tests of the pod policies write them: plain values in, views and verdicts out."""

from __future__ import annotations

from typing import Any

import msgspec

from policies.model import CREATE, UPDATE, Action, Policy, Request, Violation
from policies.objects import Pod
from policies.workloads import PodView, pod_views
from webhook.admission.gate import Gate, Review
from webhook.admission.ruleset import Ruleset, Setting, Step
from webhook.admission.verdict import Verdict


def request(operation: str = CREATE) -> Request:
    return Request(operation=operation, group="", resource="pods", kind="Pod", namespace="team-a")


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A Pod with these main containers, each with a name unless it brings one."""
    named = [{"name": f"c{index}", **one} for index, one in enumerate(containers)]
    return {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": named, **spec}}


def view(obj: dict[str, Any]) -> PodView:
    """The only pod of a Pod."""
    (found,) = pod_views(msgspec.convert(obj, Pod))
    return found


def found(policy: Policy[Any, Any], obj: dict[str, Any], **params: Any) -> list[Violation]:
    """What a policy says about a Pod."""
    assert policy.validate is not None
    return list(policy.validate(view(obj), request(), msgspec.convert(params, policy.params)))


def denying(*policies: Policy[Any, Any]) -> Gate:
    """A gate where each of these denies, with its default parameters."""
    return Gate(Ruleset(tuple(Step(one, Setting(Action.DENY, one.params())) for one in policies)))


def update(gate: Gate, old: dict[str, Any], new: dict[str, Any]) -> Verdict:
    """The verdict on the change of one Pod into another."""
    return gate.validate(
        Review(request(UPDATE), msgspec.json.encode(new), msgspec.json.encode(old))
    )


def fields(verdict: Verdict, action: Action) -> list[str]:
    return [finding.violation.field for finding in verdict.under(action)]
