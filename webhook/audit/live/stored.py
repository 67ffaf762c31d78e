"""What the audit reads of a stored object beside what policies read: where it came from.

Views only; who wrote an object is concluded in `provenance`.
"""

from __future__ import annotations

import msgspec

from policies.objects import View


class OwnerReference(View):
    apiVersion: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class Metadata(View):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""
    creationTimestamp: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    ownerReferences: list[OwnerReference] | None = None

    @property
    def controller(self) -> OwnerReference | None:
        """The one owner that manages the object, as ``metav1.GetControllerOf`` finds it."""
        owners = self.ownerReferences or ()
        return next((one for one in owners if one.controller), None)


class Stored(View):
    metadata: Metadata = msgspec.field(default_factory=Metadata)

    @property
    def key(self) -> str:
        """``name``, or ``namespace/name`` of what is in a namespace."""
        name, namespace = self.metadata.name, self.metadata.namespace
        return f"{namespace}/{name}" if namespace else name


class _Selecting(View):
    selector: dict[str, str] | None = None


class StoredService(Stored):
    spec: _Selecting | None = None

    @property
    def selects(self) -> bool:
        """Whether Kubernetes' own controllers write its endpoints."""
        return bool(self.spec and self.spec.selector)


class _Placed(View):
    nodeName: str = ""


class StoredPod(Stored):
    spec: _Placed | None = None
