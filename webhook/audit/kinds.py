"""From the apiVersion and kind in a manifest to the resource that the gate judges.

The API server is asked about resources; a manifest names a kind. Versions that were removed from
the API are judged as their successors, so that an old manifest does not pass for its age.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policies.resources import BUILT_IN, Resource, custom
from policies.workloads import CustomWorkload

Kinds = Mapping[tuple[str, str], Resource]
"""(API group, kind) -> Resource"""

_MOVED = {
    ("extensions", "Deployment"): "apps",
    ("extensions", "DaemonSet"): "apps",
    ("extensions", "ReplicaSet"): "apps",
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
}
"""Kinds that extensions/v1beta1 served until Kubernetes 1.16 (deprecation guide)."""


def kinds(workloads: Iterable[CustomWorkload] = ()) -> Kinds:
    """Every kind that policies can judge, custom workloads included."""
    resources = (*BUILT_IN, *map(custom, workloads))
    return {(one.group, one.kind): one for one in resources}


def find(known: Kinds, api_version: str, kind: str) -> Resource | None:
    """The resource of a kind in any version; None for a kind that no policy reads."""
    group = api_version.rpartition("/")[0]
    return known.get((_MOVED.get((group, kind), group), kind))
