"""mesh-conflict: what a violation is told apart by, and that it survives any metadata."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.model import CREATE, UPDATE, Action, NoParams, Request
from policies.namespaces import mesh_conflict
from policies.objects import Namespace, ObjectMeta
from policies.workloads import PodView
from tests.policies.namespaces.given import metadata, pod
from webhook.admission.gate import Gate, Review
from webhook.admission.ruleset import Ruleset, Setting, Step
from webhook.admission.verdict import Verdict

CREATED = Request(operation=CREATE, group="", resource="namespaces", namespace="shop", name="shop")


def update(old: dict[str, Any], new: dict[str, Any]) -> Verdict:
    """The verdict on an update of a namespace where the policy is set to Deny."""
    gate = Gate(Ruleset((Step(mesh_conflict.POLICY, Setting(Action.DENY, NoParams())),)))
    request = Request(operation=UPDATE, group="", resource="namespaces", namespace="shop")
    return gate.validate(
        Review(
            request, json.dumps({"metadata": new}).encode(), json.dumps({"metadata": old}).encode()
        )
    )


TWO_OF_ISTIO = {"istio-injection": "enabled", "istio.io/rev": "canary"}


def test_an_old_contradiction_only_warns_when_something_else_changes() -> None:
    verdict = update({"labels": TWO_OF_ISTIO}, {"labels": {**TWO_OF_ISTIO, "team": "web"}})
    assert [finding.action for finding in verdict.findings] == [Action.WARN]


def test_another_contradiction_in_the_same_field_denies() -> None:
    verdict = update(
        {"labels": {"istio-injection": "true"}}, {"labels": {"istio-injection": "yes"}}
    )
    assert not verdict.allowed


def test_a_third_mesh_denies_beside_the_two_that_were_there() -> None:
    labels = {"istio-injection": "enabled", "kuma.io/sidecar-injection": "enabled"}
    verdict = update(
        {"labels": labels}, {"labels": labels, "annotations": {"linkerd.io/inject": "enabled"}}
    )
    assert [(f.action, f.violation.field) for f in verdict.findings] == [
        (Action.DENY, "metadata.annotations[linkerd.io/inject]"),
        (Action.WARN, "metadata.labels[kuma.io/sidecar-injection]"),
    ]


def test_a_long_value_is_shortened_in_the_message() -> None:
    meta = ObjectMeta(annotations={"linkerd.io/inject": "e" * 5000})
    (violation,) = mesh_conflict.validate(Namespace(metadata=meta), CREATED, NoParams())
    assert len(violation.message) < 120


def test_two_templates_of_one_object_are_told_apart() -> None:
    labels = {"istio-injection": "enabled"}
    keys: set[str] = set()
    for key in ("spec.jobs[a].template.spec", "spec.jobs[b].template.spec"):
        view = PodView("spec.jobs[0].template.spec", ObjectMeta(labels=labels), pod_spec, key=key)
        keys.update(*(one.keys for one in mesh_conflict.validate(view, CREATED, NoParams())))
    assert len(keys) == 2


pod_spec = pod(ObjectMeta()).spec


@given(metadata, st.booleans())
def test_any_metadata_is_judged_and_left_as_it_was(meta: ObjectMeta, as_pod: bool) -> None:
    subject = pod(meta) if as_pod else Namespace(metadata=meta)
    labels, annotations = dict(meta.labels or {}), dict(meta.annotations or {})
    found = list(mesh_conflict.validate(subject, CREATED, NoParams()))
    assert (meta.labels or {}, meta.annotations or {}) == (labels, annotations)
    for violation in found:
        place, _, key = violation.field.removesuffix("]").partition("[")
        assert key in {"metadata.labels": labels, "metadata.annotations": annotations}[place]
    assert len({violation.keys for violation in found}) == len(found)
