"""Who wrote an object, as far as the cluster itself shows it: some policies trust some writers.

A label alone proves nothing. What is concluded here, a controller would undo if it were not so.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from policies.labels import SERVICE_OF_SLICE
from policies.model import User
from policies.network_policies.managed import BASELINE, MANAGED_BY, NETREEVE
from policies.resources import Resource
from webhook.audit.live.stored import Stored, StoredPod

NOBODY = User()
CONTROLLER_MANAGER = User("system:kube-controller-manager")
APISERVER = User("system:apiserver", groups=("system:masters",))

_SLICE_WRITER = "endpointslice.kubernetes.io/managed-by"
_FROM_PODS = "endpointslice-controller.k8s.io"
"""k8s.io/endpointslice: of a Service with a selector, every slice that says so is written anew."""
_FROM_ENDPOINTS = "endpointslicemirroring-controller.k8s.io"
"""Copies of Endpoints, which are judged where the user wrote them."""
_MIRROR = "kubernetes.io/config.mirror"


class Provenance(NamedTuple):
    """selecting: ``namespace/name`` of Services with a selector. baseline: its writer."""

    selecting: Container[str]
    baseline: User

    def author(self, resource: Resource, stored: Stored) -> User:
        """Who wrote the object; nobody in particular where nothing shows it."""
        if resource.resource in ("endpoints", "endpointslices"):
            return self._of_endpoints(resource, stored)
        labels = stored.metadata.labels or {}
        if resource.resource == "networkpolicies":
            ours = labels.get(MANAGED_BY) == NETREEVE and BASELINE in labels
            return self.baseline if ours else NOBODY
        if isinstance(stored, StoredPod) and _shows_static_pod(stored):
            node = stored.spec.nodeName if stored.spec else ""
            return User(f"system:node:{node}", groups=("system:nodes",))
        return NOBODY

    def _of_endpoints(self, resource: Resource, stored: Stored) -> User:
        meta = stored.metadata
        labels = meta.labels or {}
        if (meta.namespace, meta.name) == ("default", "kubernetes"):
            return APISERVER  # its reconciler writes these two every ten seconds
        service = labels.get(SERVICE_OF_SLICE, "")
        if resource.resource == "endpoints":
            service = meta.name
        elif labels.get(_SLICE_WRITER) == _FROM_ENDPOINTS:
            return CONTROLLER_MANAGER
        elif labels.get(_SLICE_WRITER) != _FROM_PODS:
            return NOBODY
        written = f"{meta.namespace}/{service}" in self.selecting
        return CONTROLLER_MANAGER if written else NOBODY


def _shows_static_pod(pod: StoredPod) -> bool:
    """The kubelet deletes a mirror pod that shows none of its static pods."""
    owner = pod.metadata.controller
    mirror = _MIRROR in (pod.metadata.annotations or {})
    return mirror and owner is not None and owner.kind == "Node"
