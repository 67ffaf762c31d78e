"""mesh-injection: its parameters, what it needs to know of a pod's namespace, and its laws."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import jsonpatch
import msgspec
import pytest
from hypothesis import given

from policies.model import CREATE, Action, NoParams, Request
from policies.namespaces import mesh_conflict, mesh_injection
from policies.namespaces.mesh_injection import POLICY, Params
from policies.namespaces.meshes import KEYS, MESHES
from policies.objects import Namespace, ObjectMeta
from tests.policies.namespaces.given import metadata, parameters, pod
from webhook.admission.cluster import Offline
from webhook.admission.gate import Gate, Review
from webhook.admission.ruleset import Ruleset, Setting, Step

SHOP = Request(operation=CREATE, group="", resource="namespaces", namespace="shop", name="shop")
POD = Request(operation=CREATE, group="", resource="pods", namespace="shop", name="web")
ON_CONSUL = {"consul.hashicorp.com/connect-inject": "true"}


class Known(Offline):
    """A cluster of which the namespaces are known."""

    def __init__(self, labels: Mapping[str, Mapping[str, str]]) -> None:
        self.labels = labels

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        return self.labels.get(namespace)


def gate(mesh: Mapping[str, Any], cluster: Known | None = None) -> Gate:
    params = msgspec.convert(mesh, Params)
    return Gate(Ruleset((Step(POLICY, Setting(Action.MUTATE, params)),)), cluster)


@pytest.mark.parametrize(
    "mesh",
    [
        {"kind": "istio-revision"},
        {"kind": "istio-sidecar", "revision": "canary"},
        {"revision": "canary"},
        {"kind": "istio-revision", "revision": "Canary!"},
        {"kind": "istio-revision", "revision": ""},
        {"kind": "istio-revision", "revision": "r" * 64},
        {"kind": "istio"},
        {"kind": "linkerd", "namespaceSelector": {"matchLabel": {"env": "prod"}}},
        {"kind": "linkerd", "namespaces": ["shop"]},
    ],
)
def test_parameters_that_name_no_mesh_are_refused(mesh: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(mesh, Params)


def test_without_a_kind_nothing_happens() -> None:
    namespace = Namespace(metadata=ObjectMeta(name="shop"))
    mesh_injection.mutate(namespace, SHOP, Params())
    assert namespace == Namespace(metadata=ObjectMeta(name="shop"))


@pytest.mark.parametrize(
    ("labels", "joins"),
    [
        ({"env": "prod"}, True),
        ({"env": "dev"}, False),
        ({"env": "prod", "istio-injection": "enabled"}, False),
        ({"env": "prod", "istio.io/dataplane-mode": "none"}, False),
        ({"env": "prod", "kuma.io/system-namespace": "true"}, False),
    ],
)
def test_a_pod_joins_consul_by_the_labels_of_its_namespace(
    labels: dict[str, str], joins: bool
) -> None:
    mesh = {"kind": "consul", "namespaceSelector": {"matchLabels": {"env": "prod"}}}
    body = json.dumps({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web"}]}})
    verdict = gate(mesh, Known({"shop": labels})).mutate(Review(POD, body.encode()))
    assert bool(verdict.patch) is joins


def test_a_pod_joins_consul_where_nothing_is_known_and_nothing_selected() -> None:
    web = pod(ObjectMeta(name="web"))
    mesh_injection.mutate(web, POD, Params(kind="consul"))
    assert web.metadata.annotations == ON_CONSUL


@given(metadata, parameters)
def test_every_key_of_the_owner_keeps_its_value(meta: ObjectMeta, params: Params) -> None:
    before = copy.deepcopy(meta)
    mesh_injection.mutate(Namespace(metadata=meta), SHOP, params)
    assert (before.labels or {}).items() <= (meta.labels or {}).items()
    assert (before.annotations or {}).items() <= (meta.annotations or {}).items()


@given(metadata, parameters)
def test_doing_it_twice_adds_nothing(meta: ObjectMeta, params: Params) -> None:
    namespace, web = Namespace(metadata=meta), pod(copy.deepcopy(meta))
    for _ in range(2):
        once = copy.deepcopy((namespace.metadata, web.metadata))
        mesh_injection.mutate(namespace, SHOP, params)
        mesh_injection.mutate(web, POD, params)
    assert (namespace.metadata, web.metadata) == once


@given(metadata, parameters)
def test_what_it_sets_is_never_a_conflict(meta: ObjectMeta, params: Params) -> None:
    for subject, request in ((Namespace(metadata=meta), SHOP), (pod(copy.deepcopy(meta)), POD)):
        before = list(mesh_conflict.validate(subject, request, NoParams()))
        mesh_injection.mutate(subject, request, params)
        assert list(mesh_conflict.validate(subject, request, NoParams())) == before


@given(metadata, parameters)
def test_the_patch_of_the_gate_adds_the_key_and_no_more(meta: ObjectMeta, params: Params) -> None:
    manifest = {"kind": "Namespace", "metadata": msgspec.to_builtins(meta)}
    ruled = Gate(Ruleset((Step(POLICY, Setting(Action.MUTATE, params)),)))
    verdict = ruled.mutate(Review(SHOP, json.dumps(manifest).encode()))
    patched = jsonpatch.JsonPatch(list(verdict.patch)).apply(manifest)
    if verdict.patch:
        kind = MESHES.kinds[params.kind or ""]
        place = KEYS[kind.key].places(kind.target)[0]
        assert patched["metadata"][place].pop(kind.key) == (kind.value or params.revision)
        manifest["metadata"].setdefault(place, {})
    assert patched == manifest
