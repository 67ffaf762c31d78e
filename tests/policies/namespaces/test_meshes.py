"""The table of meshes says only what can be true."""

from __future__ import annotations

from typing import get_args

import pytest

from policies.namespaces.mesh_injection import MeshKind
from policies.namespaces.meshes import KEYS, MESHES, Kind, is_off_limits, mentions_a_mesh, settings
from policies.objects import ObjectMeta


def test_every_kind_of_the_configuration_is_in_the_table() -> None:
    assert set(MESHES.kinds) == set(get_args(MeshKind))


@pytest.mark.parametrize("name", MESHES.kinds)
def test_what_a_kind_sets_switches_its_mesh_on(name: str) -> None:
    kind: Kind = MESHES.kinds[name]
    key = KEYS[kind.key]
    assert key.places(kind.target)
    assert key.state(kind.value or "any-revision") == "on"


def test_every_key_is_read_somewhere_and_knows_values() -> None:
    assert len(KEYS) == len(MESHES.keys)
    for key in MESHES.keys:
        assert key.namespace or key.pod, key.name
        assert key.on or key.off, key.name
        assert "*" in key.on or not key.on or key.off, key.name
        assert not set(key.on) & set(key.off), key.name


@pytest.mark.parametrize(
    ("key", "value", "state"),
    [
        ("istio-injection", "enabled", "on"),
        ("istio-injection", "true", "unknown"),
        ("istio.io/rev", "canary", "on"),
        ("istio.io/rev", "", "unknown"),
        ("config.linkerd.io/admission-webhooks", "disabled", "off"),
        ("config.linkerd.io/admission-webhooks", "enabled", None),
        ("consul.hashicorp.com/connect-inject", "T", "on"),
    ],
)
def test_values_mean_what_the_mesh_makes_of_them(key: str, value: str, state: str | None) -> None:
    assert KEYS[key].state(value) == state


def test_a_key_read_in_two_places_is_taken_from_the_preferred_one() -> None:
    inject = "sidecar.istio.io/inject"
    both = ObjectMeta(labels={inject: "false"}, annotations={inject: "true"})
    annotated = ObjectMeta(annotations={inject: "true"})
    assert [(one.place, one.state) for one in settings(both, "pod")] == [("labels", "off")]
    assert [(one.place, one.state) for one in settings(annotated, "pod")] == [("annotations", "on")]
    assert list(settings(annotated, "namespace")) == []


def test_a_mesh_is_mentioned_by_any_key_in_any_map() -> None:
    assert mentions_a_mesh(None, {"linkerd.io/inject": "disabled"})
    assert not mentions_a_mesh({"app": "web"}, None, {})


def test_a_hint_belongs_to_a_data_plane_of_the_table_and_is_no_key() -> None:
    assert set(MESHES.hints.values()) <= {key.mode for key in MESHES.keys}
    assert KEYS.keys().isdisjoint(MESHES.hints)


@pytest.mark.parametrize(
    "name",
    ["kube-system", "kube-flannel", "openshift-dns", "linkerd", "cilium", "netreeve", "multus"],
)
def test_off_limits(name: str) -> None:
    assert is_off_limits(name)


@pytest.mark.parametrize("name", ["", "shop", "linkerd-demo", "my-kube-system", "openshift"])
def test_not_off_limits(name: str) -> None:
    assert not is_off_limits(name)
