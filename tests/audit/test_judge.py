"""One object as if it were created: its request, the patch before the verdict, the name label."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonpatch
import pytest

from policies.model import Action, NoParams, Policy, Request, Rule, Violation
from policies.objects import Namespace, Service
from policies.selectors import LabelSelector
from webhook.admission.gate import Gate
from webhook.admission.ruleset import Ruleset, Setting, Step
from webhook.audit.judge import apply, creation, judge, namespace_labels
from webhook.audit.kinds import find, kinds

KINDS = kinds()


def request(obj: dict[str, Any], default: str = "default") -> Request:
    resource = find(KINDS, obj["apiVersion"], obj["kind"])
    assert resource is not None
    return creation(resource, obj, default)


@pytest.mark.parametrize(
    ("metadata", "namespace", "name"),
    [
        ({"name": "a", "namespace": "shop"}, "shop", "a"),
        ({"name": "a"}, "default", "a"),
        ({"generateName": "a-"}, "default", ""),
        ({"name": 3, "namespace": ["x"]}, "default", ""),
        ("nonsense", "default", ""),
    ],
)
def test_the_request_names_the_object(metadata: Any, namespace: str, name: str) -> None:
    found = request({"apiVersion": "v1", "kind": "Service", "metadata": metadata})
    assert (found.operation, found.resource, found.kind) == ("CREATE", "services", "Service")
    assert (found.namespace, found.name) == (namespace, name)


def test_the_namespace_of_a_namespace_is_itself() -> None:
    found = request({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    assert (found.namespace, found.name) == ("shop", "shop")


@pytest.mark.parametrize(
    ("api_version", "kind", "group", "resource"),
    [
        ("apps/v1", "Deployment", "apps", "deployments"),
        ("apps/v1beta2", "StatefulSet", "apps", "statefulsets"),
        ("extensions/v1beta1", "Deployment", "apps", "deployments"),
        ("extensions/v1beta1", "DaemonSet", "apps", "daemonsets"),
        ("batch/v1beta1", "CronJob", "batch", "cronjobs"),
        ("discovery.k8s.io/v1beta1", "EndpointSlice", "discovery.k8s.io", "endpointslices"),
    ],
)
def test_old_versions_are_judged_as_their_successors(
    api_version: str, kind: str, group: str, resource: str
) -> None:
    found = find(KINDS, api_version, kind)
    assert found is not None
    assert (found.group, found.resource) == (group, resource)


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [("v1", "ConfigMap"), ("example.com/v1", "Deployment"), ("apps/v1", "Pod"), ("v1", "pod")],
)
def test_other_kinds_are_nobodys(api_version: str, kind: str) -> None:
    assert find(KINDS, api_version, kind) is None


def label(service: Service, request: Request, params: NoParams) -> None:
    assert service.metadata is not None
    service.metadata.labels = {**(service.metadata.labels or {}), "team": "x"}


def unlabelled(service: Service, request: Request, params: NoParams) -> Iterator[Violation]:
    if not (service.metadata and service.metadata.labels):
        yield Violation("metadata.labels", "must be set", "set them")


def policy(**functions: Any) -> Policy[Any, Any]:
    return Policy(
        id="sample",
        title="Labels",
        why="For the test.",
        fix="None.",
        rules=(Rule("", "services"), Rule("", "namespaces")),
        standard=Action.DENY,
        strict=Action.DENY,
        params=NoParams,
        **functions,
    )


def step(one: Policy[Any, Any]) -> Step:
    return Step(one, Setting(Action.MUTATE if one.mutate else Action.DENY, NoParams()))


SERVICE: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}


def test_the_verdict_is_on_the_object_as_mutating_policies_leave_it() -> None:
    before = copy.deepcopy(SERVICE)
    asked = request(SERVICE)
    judging = step(policy(validate=unlabelled))
    assert not judge(Gate(Ruleset((judging,))), asked, SERVICE).verdict.allowed
    outcome = judge(Gate(Ruleset((step(policy(mutate=label)), judging))), asked, SERVICE)
    assert outcome.verdict.allowed
    assert list(outcome.patch) == [
        {"op": "add", "path": "/metadata/labels", "value": {"team": "x"}}
    ]
    assert before == SERVICE


def test_an_object_that_cannot_be_mutated_is_denied() -> None:
    broken = {**SERVICE, "spec": 3}
    outcome = judge(Gate(Ruleset((step(policy(mutate=label)),))), request(broken), broken)
    assert not outcome.verdict.allowed
    assert outcome.patch == ()


def named_shop(namespace: Namespace, request: Request, params: NoParams) -> Iterator[Violation]:
    yield Violation("metadata", "must not be", "go")


def test_a_namespace_has_the_label_of_its_name() -> None:
    """So overrides can select it, as the API server adds the label before any webhook."""
    one = policy(validate=named_shop)
    selector = LabelSelector(matchLabels={"kubernetes.io/metadata.name": "shop"})
    chosen = Step(
        one, Setting(Action.DENY, NoParams()), ((selector, Setting(Action.OFF, NoParams())),)
    )
    for name, allowed in (("shop", True), ("other", False)):
        obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        assert judge(Gate(Ruleset((chosen,))), request(obj), obj).verdict.allowed is allowed


def test_labels_that_are_no_mapping_are_malformed_and_no_crash() -> None:
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": [1]}}
    outcome = judge(Gate(Ruleset((step(policy(validate=named_shop)),))), request(obj), obj)
    assert [finding.policy for finding in outcome.verdict.findings] == ["malformed"]
    assert namespace_labels(obj) == {"kubernetes.io/metadata.name": "a"}


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "add", "path": "/a~1b~0c", "value": 1}],
        [{"op": "replace", "path": "/x/0/y", "value": {"z": 1}}],
        [{"op": "add", "path": "/x/-", "value": 2}, {"op": "remove", "path": "/x/0/y"}],
        [{"op": "replace", "path": "", "value": {"new": 1}}],
        [],
    ],
)
def test_patches_are_applied_as_another_implementation_does(patch: list[dict[str, Any]]) -> None:
    value = {"x": [{"y": 1}], "k": None}
    before = copy.deepcopy(value)
    assert apply(value, tuple(patch)) == jsonpatch.apply_patch(value, patch)
    assert value == before
