"""The parts of cluster objects that are kept, as small typed views.

Unlike `policies.objects` these read what the API server itself answers, never a request.
"""

from __future__ import annotations

import msgspec

CNI = "netreeve.io/cni"
"""On the Lease of the controller: whether NetworkPolicies are enforced, as it has found out."""
CNI_REASON = "netreeve.io/cni-reason"


class Metadata(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""
    labels: dict[str, str] | None = None


class Object(msgspec.Struct, gc=False):
    """What every kind has, and a bookmark as well."""

    metadata: Metadata

    @property
    def key(self) -> str:
        """``name``, or ``namespace/name`` of what is in a namespace."""
        name, namespace = self.metadata.name, self.metadata.namespace
        return f"{namespace}/{name}" if namespace else name


class AnnotatedMetadata(Metadata, gc=False):
    annotations: dict[str, str] | None = None


class Namespace(Object, gc=False):
    metadata: AnnotatedMetadata


class Lease(Object, gc=False):
    metadata: AnnotatedMetadata


class NodeSpec(msgspec.Struct, gc=False):
    providerID: str | None = None


class NodeAddress(msgspec.Struct, gc=False):
    type: str = ""
    address: str = ""


class NodeStatus(msgspec.Struct, gc=False):
    addresses: list[NodeAddress] | None = None


class Node(Object, gc=False):
    spec: NodeSpec | None = None
    status: NodeStatus | None = None
