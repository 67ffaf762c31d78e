"""mesh-conflict: keys that switch a mesh agree, are read where they stand, and mean something.

Fields: metadata.labels and metadata.annotations of Namespaces, Pods and pod templates. Allowed:
one mesh data plane, switched by keys in the place where its mesh reads them, with values it knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from policies.model import Action, NoParams, Policy, Request, Rule, Violation
from policies.namespaces.meshes import (
    MESHES,
    PLACES,
    Key,
    Place,
    Scope,
    Setting,
    mentions_a_mesh,
    settings,
    values,
)
from policies.objects import Namespace, ObjectMeta
from policies.workloads import WORKLOADS, PodView


class _Marked(NamedTuple):
    """What carries the keys: its metadata, where that is, and what tells it from its siblings."""

    scope: Scope
    meta: ObjectMeta
    path: str
    identity: str

    def violation(self, place: Place, key: Key, message: str, fix: str, kind: str) -> Violation:
        at = f"{place}[{key.name}]"
        identity = f"{self.identity} {at} {kind}"
        return Violation(f"{self.path}.{at}", message, fix, keys=(identity,))


def _marked(subject: Namespace | PodView) -> _Marked:
    if isinstance(subject, Namespace):
        return _Marked("namespace", subject.metadata or ObjectMeta(), "metadata", "namespace")
    path = f"{subject.path.removesuffix('spec')}metadata"
    return _Marked("pod", subject.metadata, path, subject.key)


def validate(
    subject: Namespace | PodView, request: Request, params: NoParams
) -> Iterator[Violation]:
    meta = subject.metadata
    if meta is None or not mentions_a_mesh(meta.labels, meta.annotations):
        return
    marked = _marked(subject)
    found = list(settings(meta, marked.scope))
    ruling = _ruling(found)
    yield from _ended(marked)
    yield from _unread(marked)
    yield from _split(marked, found)
    yield from _meaningless(marked, found)
    yield from _overruled(marked, found, ruling)
    yield from _several(marked, ruling)


def _ruling(found: Iterable[Setting]) -> dict[str, Setting]:
    """The setting that decides, by data plane: of its keys the one the mesh reads first."""
    ruling: dict[str, Setting] = {}
    for setting in found:
        ruling.setdefault(setting.key.mode, setting)
    return ruling


def _ended(marked: _Marked) -> Iterator[Violation]:
    """Keys of meshes that are no more."""
    for key in MESHES.keys:
        for place in PLACES:
            if key.ended and key.name in values(marked.meta, place):
                message = f"must not be set: {key.ended}"
                fix = "remove it, and choose a mesh that is maintained"
                yield marked.violation(place, key, message, fix, "ended")


def _unread(marked: _Marked) -> Iterator[Violation]:
    """Keys in a place where their mesh does not read them, unless they are right elsewhere too."""
    for key in MESHES.keys:
        read = key.places(marked.scope)
        harmless = (*read, *(key.written if marked.scope == "pod" else ()))
        for place in PLACES:
            value = values(marked.meta, place).get(key.name)
            if value is None or key.ended or place in harmless:
                continue
            if any(values(marked.meta, one).get(key.name) == value for one in read):
                continue
            where = _where(key, marked.scope)
            message = f"has no effect: {key.mesh} reads it as {where}"
            fix = f"set it as {where}, or remove it"
            yield marked.violation(place, key, message, fix, "unread")


def _where(key: Key, scope: Scope) -> str:
    """Where the mesh reads this key, such as ``an annotation of the pod``."""
    at: Scope = scope if key.places(scope) else "pod" if scope == "namespace" else "namespace"
    return f"{'a label' if key.places(at)[0] == 'labels' else 'an annotation'} of the {at}"


def _split(marked: _Marked, found: Iterable[Setting]) -> Iterator[Violation]:
    """A key that is read in two places and says one thing here and another there."""
    for key, place, value, _ in found:
        for other in key.places(marked.scope):
            if values(marked.meta, other).get(key.name, value) != value:
                preferred = place.removesuffix("s")
                message = f"contradicts the {preferred}, which {key.mesh} prefers"
                fix = f"remove it and keep the {preferred}"
                yield marked.violation(other, key, message, fix, "split")


def _meaningless(marked: _Marked, found: Iterable[Setting]) -> Iterator[Violation]:
    """Values that their mesh does not know."""
    for key, place, value, state in found:
        if state == "unknown":
            known = "not empty" if "*" in key.on else f"{key.on[0]} or {key.off[0]}"
            shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
            message = f"must be {known}: {key.mesh} does not know {shown!r}"
            fix = "correct the value, or remove the key"
            yield marked.violation(place, key, message, fix, f"value {value}")


_SHOWN = 40
"""Characters of a wrong value in a message; an annotation can be long."""


def _overruled(
    marked: _Marked, found: Iterable[Setting], ruling: Mapping[str, Setting]
) -> Iterator[Violation]:
    """Keys of a namespace beside one that decides for them, unless both say off.

    Not on pods: beside sidecar.istio.io/inject a revision says which, not whether.
    """
    for setting in found if marked.scope == "namespace" else ():
        key, place, _, state = setting
        first = ruling[key.mode]
        if first is not setting and not first.state == state == "off":
            message = f"has no effect beside {first.key.name}, which {key.mesh} reads first"
            kind = f"overruled by {first.key.name}"
            yield marked.violation(place, key, message, "remove one of the two", kind)


def _several(marked: _Marked, ruling: Mapping[str, Setting]) -> Iterator[Violation]:
    """More than one data plane switched on."""
    on = [setting for setting in ruling.values() if setting.state == "on"]
    for key, place, _, _ in on[1:]:
        one = on[0].key
        message = f"contradicts {one.name}: only one of them can carry the traffic of a pod"
        fix = f"choose {one.mesh} or {key.mesh}, and remove the other's key"
        yield marked.violation(place, key, message, fix, f"against {one.name}")


POLICY = Policy(
    id="mesh-conflict",
    title="Keys that switch a service mesh agree and have an effect",
    why=(
        "Each mesh reads its own labels or annotations and ignores the rest without a word: "
        "istio.io/rev beside istio-injection, linkerd.io/inject as a label, istio-injection=true. "
        "Pods that look protected then run outside of the mesh; with two meshes at once, their "
        "redirections of the same traffic contradict each other."
    ),
    fix=(
        "Keep one mesh on a namespace or pod, with the key in the place and with the value that "
        "this mesh reads, and remove what is left of others."
    ),
    rules=(Rule("", "namespaces"), *WORKLOADS),
    standard=Action.WARN,
    strict=Action.WARN,
    params=NoParams,
    validate=validate,
)
