"""Metadata and parameters as Hypothesis strategies: mostly keys of meshes, right and wrong."""

from __future__ import annotations

from typing import get_args

from hypothesis import strategies as st

from policies.namespaces.mesh_injection import MeshKind, Params
from policies.namespaces.meshes import KEYS, MESHES
from policies.objects import ObjectMeta, PodSpec
from policies.workloads import PodView

_known = sorted({value for key in MESHES.keys for value in (*key.on, *key.off)})
_keys = st.one_of(st.sampled_from([*KEYS, *MESHES.never.labels, "app", "env"]), st.text(max_size=5))
_maps = st.none() | st.dictionaries(
    _keys, st.sampled_from(_known) | st.text(max_size=50), max_size=6
)
_names = st.none() | st.sampled_from(["shop", "kube-system", "istio-system", "linkerd-demo"])

metadata = st.builds(ObjectMeta, name=_names, labels=_maps, annotations=_maps)
parameters = st.sampled_from((None, *get_args(MeshKind))).map(
    lambda kind: Params(kind=kind, revision="canary" if kind == "istio-revision" else None)
)


def pod(meta: ObjectMeta) -> PodView:
    """A pod that has nothing but this metadata."""
    return PodView("spec", meta, PodSpec(), is_pod=True)
