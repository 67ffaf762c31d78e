"""What the controller keeps of the objects it follows, as small values.

The API server's own answers; never a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import msgspec

from policies.baseline.objects import LONGEST_SPEC, Namespace, Observed, shortened
from policies.namespaces import meshes
from policies.network_policies.managed import (
    BASELINE,
    DEFAULT_DENY,
    MANAGED_BY,
    NAMESPACE_UID,
    NETREEVE,
    OUR_LABELS,
    STATUS,
)
from webhook.cluster.objects import AnnotatedMetadata, Metadata, Object

GATE = "netreeve.io/baseline"
LONGEST_SWITCH = 256
"""Of the value of an annotation; every value that means something is shorter."""


class NamespaceMetadata(AnnotatedMetadata):
    creationTimestamp: str = ""
    deletionTimestamp: str | None = None


class StoredNamespace(Object):
    metadata: NamespaceMetadata


@dataclass(frozen=True, slots=True)
class Known:
    """A namespace. status: the text of its annotation, None without one. created: RFC 3339.

    version: its resourceVersion; most updates change nothing else, which is no change to us.
    """

    namespace: Namespace
    terminating: bool
    created: str
    status: str | None
    version: str = field(compare=False)


class StoredPolicy(Object):
    """spec is not decoded: most of them are equal."""

    metadata: AnnotatedMetadata
    spec: msgspec.Raw = msgspec.Raw(b"{}")


class SchedulingGate(msgspec.Struct):
    name: str = ""


class PodSpec(msgspec.Struct):
    nodeName: str | None = None
    schedulingGates: list[SchedulingGate] | None = None


class StoredPod(Object):
    metadata: Metadata
    spec: PodSpec | None = None


class Waiting(NamedTuple):
    """A pod behind our gate. place: of the gate among the pod's gates."""

    name: str
    uid: str
    place: int


class Group(msgspec.Struct):
    group: str = ""


class ApiService(Object):
    spec: Group | None = None


def keep_namespace(stored: StoredNamespace) -> Known:
    """Of annotations only those by which a namespace joins a mesh."""
    meta = stored.metadata
    said = meta.annotations or {}
    annotations = {name: said[name][:LONGEST_SWITCH] for name in meshes.KEYS if name in said}
    namespace = Namespace(meta.name, meta.uid, meta.labels or {}, annotations)
    terminating = meta.deletionTimestamp is not None
    return Known(
        namespace, terminating, meta.creationTimestamp, said.get(STATUS), meta.resourceVersion
    )


def keep_policy(stored: StoredPolicy) -> Observed:
    """Of a user's policy only the name, and what it says when it has the name of the last one."""
    meta = stored.metadata
    labels = {key: value for key, value in (meta.labels or {}).items() if key in OUR_LABELS}
    uid = (meta.annotations or {}).get(NAMESPACE_UID)
    ours = uid is not None or (labels.get(MANAGED_BY) == NETREEVE and BASELINE in labels)
    spec = _spec(bytes(stored.spec)) if ours or meta.name == DEFAULT_DENY else {}
    return Observed(meta.name, labels, {NAMESPACE_UID: uid} if uid else {}, spec)


def is_ours(policy: Observed, namespace: Namespace) -> bool:
    """Whether a policy is to be kept as it should be: by its labels, or by what we noted on it.

    Who takes the labels off has not made it his own.
    """
    labelled = policy.labels.get(MANAGED_BY) == NETREEVE and BASELINE in policy.labels
    return labelled or policy.annotations.get(NAMESPACE_UID) == namespace.uid


def _spec(text: bytes) -> Mapping[str, object]:
    return _short(text) if len(text) <= LONGEST_SPEC else _decoded(text)


@lru_cache(maxsize=1024)
def _short(text: bytes) -> Mapping[str, object]:
    """Thousands of namespaces share a few specs, which nobody changes."""
    return _decoded(text)


def _decoded(text: bytes) -> Mapping[str, object]:
    found: dict[str, object] = msgspec.json.decode(text) or {}
    return shortened(found)


def keep_pod(stored: StoredPod) -> Waiting | None:
    """None for one that does not wait for us."""
    gates = (stored.spec and stored.spec.schedulingGates) or ()
    for place, gate in enumerate(gates):
        if gate.name == GATE:
            return Waiting(stored.metadata.name, stored.metadata.uid, place)
    return None


def keep_group(stored: ApiService) -> str:
    return (stored.spec and stored.spec.group) or ""
