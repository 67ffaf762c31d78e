"""mesh-injection: new namespaces join the configured mesh, by exactly the key that it reads.

Fields: metadata.labels or metadata.annotations of a Namespace; for Consul, which reads nothing of
the namespace, metadata.annotations of a Pod. A key that its owner has set is never contradicted,
except where a pod's namespace has it as an annotation: of namespaces only the labels are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from policies.model import CREATE, Action, Policy, Request, Rule
from policies.namespaces.meshes import (
    KEYS,
    MESHES,
    Kind,
    hints_at_another,
    is_off_limits,
    mentions_a_mesh,
    name_so_far,
)
from policies.objects import Namespace, ObjectMeta
from policies.selectors import LabelSelector
from policies.workloads import PodView

MeshKind = Literal["istio-sidecar", "istio-revision", "istio-ambient", "linkerd", "kuma", "consul"]
Revision = Annotated[str, msgspec.Meta(pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The mesh to join.

    kind: which mesh, and which of its data planes; nothing is injected without it.
    revision: revision or tag of Istio, required with istio-revision and refused otherwise.
    namespaceSelector: only namespaces with these labels; for Consul, pods in such namespaces.
    excludedNamespaces: names of namespaces that stay out of the mesh, in addition to those of the
        system, of meshes and of CNI plugins.
    """

    kind: MeshKind | None = None
    revision: Revision | None = None
    namespaceSelector: LabelSelector | None = None
    excludedNamespaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind == "istio-revision" and self.revision is None:
            raise ValueError("kind istio-revision needs a revision")
        if self.kind != "istio-revision" and self.revision is not None:
            raise ValueError("a revision belongs to kind istio-revision only")


def mutate(subject: Namespace | PodView, request: Request, params: Params) -> None:
    if params.kind is None or subject.metadata is None:
        return
    kind = MESHES.kinds[params.kind]
    if isinstance(subject, Namespace):
        if kind.target == "namespace" and _namespace_joins(subject.metadata, kind, params):
            _switch_on(subject.metadata, kind, params)
    elif kind.target == "pod" and _pod_joins(subject, request, kind, params):
        _switch_on(subject.metadata, kind, params)


def _namespace_joins(meta: ObjectMeta, kind: Kind, params: Params) -> bool:
    return not _is_decided(kind, meta.labels, meta.annotations) and _selected(
        name_so_far(meta), meta.labels or {}, params
    )


def _is_decided(kind: Kind, *maps: Mapping[str, str] | None) -> bool:
    """Whether the owner has chosen: by a key of any mesh, or by one that another mesh needs."""
    return mentions_a_mesh(*maps) or hints_at_another(KEYS[kind.key].mode, *maps)


def _pod_joins(pod: PodView, request: Request, kind: Kind, params: Params) -> bool:
    labels = request.namespaceLabels
    if labels is None and params.namespaceSelector:
        return False  # not known to be selected
    return (
        not pod.spec.hostNetwork
        and not _runs_to_completion(pod)
        and not pod.is_mirror
        and not any(one.name in MESHES.never.proxies for one in pod.containers)
        and not _is_decided(kind, pod.metadata.labels, pod.metadata.annotations, labels)
        and _selected(request.namespace, labels or {}, params)
    )


def _selected(name: str, labels: Mapping[str, str], params: Params) -> bool:
    """Whether the namespace is one that the configuration means."""
    return (
        not is_off_limits(name)
        and name not in params.excludedNamespaces
        and MESHES.never.labels.isdisjoint(labels)
        and (params.namespaceSelector is None or params.namespaceSelector.matches(labels))
    )


def _runs_to_completion(pod: PodView) -> bool:
    """A proxy that does not end keeps the pod of a Job from ever being complete."""
    return any(owner.kind == "Job" for owner in pod.metadata.ownerReferences or ())


def _switch_on(meta: ObjectMeta, kind: Kind, params: Params) -> None:
    value = kind.value or params.revision
    assert value  # Params refuses istio-revision without one
    place = KEYS[kind.key].places(kind.target)[0]
    setattr(meta, place, {**(getattr(meta, place) or {}), kind.key: value})


POLICY = Policy(
    id="mesh-injection",
    title="New namespaces join the configured mesh",
    why=(
        "Traffic of a namespace outside of the mesh is neither encrypted nor authorized by it. "
        "Every mesh reads another key (Istio and Kuma labels, Linkerd an annotation, Consul an "
        "annotation of the pod), and a wrong one is ignored without a word. A key that was set "
        "by hand, for this mesh or another, is left as it is, and so are the namespaces of the "
        "system, of meshes and of CNI plugins. Consul is injected pod by pod, by the labels of the "
        "namespace and not by its annotations: keep namespaces with linkerd.io/inject out of it "
        "with excludedNamespaces or namespaceSelector."
    ),
    fix=(
        "Set the mesh's own key on the namespace to keep it out, such as istio-injection=disabled; "
        "pods that exist already join when they are created anew."
    ),
    rules=(
        Rule("", "namespaces", frozenset({CREATE})),
        Rule("", "pods", frozenset({CREATE})),
    ),
    standard=Action.MUTATE,
    strict=Action.MUTATE,
    params=Params,
    mutate=mutate,
)
