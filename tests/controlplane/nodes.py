"""A Node that looks like one whose kubelet is well, for the scheduler to bind pods to."""

from collections.abc import Mapping
from typing import Any

from kubernetes.client import V1Node, V1ObjectMeta

CAPACITY = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "1000"}


def node(name: str, labels: Mapping[str, str]) -> V1Node:
    """The object to create."""
    known = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return V1Node(metadata=V1ObjectMeta(name=name, labels={**known, **labels}))


def ready() -> dict[str, Any]:
    """A merge patch for its status."""
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "no kubelet: this node is an object only",
    }
    return {
        "status": {"capacity": CAPACITY, "allocatable": CAPACITY, "conditions": [condition]},
    }


def untainted() -> dict[str, Any]:
    """A merge patch for its spec.

    Admission taints every new node as not ready; taking that away is the work of the
    node-lifecycle controller, which does not run here.
    """
    return {"spec": {"taints": None}}
