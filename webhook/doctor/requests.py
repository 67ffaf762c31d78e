"""An admission request as the API server hands it to the matching of webhooks. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from policies.model import User

Json = dict[str, Any]
SOMEBODY = User("jane", groups=("system:authenticated",))
_LABELS = {"app.kubernetes.io/name": "netreeve-doctor"}
KNOWN_BAD: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "netreeve-doctor"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": _LABELS},
        "template": {
            "metadata": {"labels": _LABELS},
            "spec": {
                "hostNetwork": True,
                "containers": [{"name": "main", "image": "registry.example/none:1"}],
            },
        },
    },
}
"""Denied by the policy host-network, unless the configuration allows it; in the validating pass,
which is why it is no Service."""
OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


@dataclass(frozen=True)
class Request:
    """namespace: "" for cluster-scoped objects; of a Namespace its own name. name: may be "".

    object, old: the objects, None where the operation has none. version: of the API, as sent.
    """

    operation: str
    group: str
    version: str
    resource: str
    kind: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    user: User = SOMEBODY
    dry_run: bool = False
    object: Json | None = field(default=None, hash=False)
    old: Json | None = field(default=None, hash=False)

    @property
    def title(self) -> str:
        """``CREATE pods/binding in kube-system``"""
        part = f"/{self.subresource}" if self.subresource else ""
        group = f".{self.group}" if self.group else ""
        where = f" in {self.namespace}" if self.namespace and self.resource != "namespaces" else ""
        return f"{self.operation} {self.resource}{group}{part}{where}"

    def at(self, group: str, version: str) -> Request:
        """The same request, if it were for an equivalent resource."""
        return replace(self, group=group, version=version)

    def variables(self, sent: Request) -> Json:
        """What matchConditions see. sent: as the user sent it, before conversion.

        As CreateAdmissionRequest of k8s.io/apiserver pkg/admission/plugin/cel builds it: fields
        that are empty are left out.
        """
        extra = {key: list(values or ()) for key, values in self.user.extra.items()}
        user = {"username": self.user.username, "uid": self.user.uid,
                "groups": list(self.user.groups), "extra": extra}  # fmt: skip
        request: Json = {
            "kind": self._kind(),
            "resource": self._resource(),
            "subResource": self.subresource,
            "requestKind": sent._kind(),
            "requestResource": sent._resource(),
            "requestSubResource": sent.subresource,
            "name": self.name,
            "namespace": self.namespace,
            "userInfo": {key: value for key, value in user.items() if value},
        }
        request = {key: value for key, value in request.items() if value}
        request |= {"operation": self.operation, "dryRun": self.dry_run, "options": self._options()}
        return {"object": self.object, "oldObject": self.old, "request": request}

    def _kind(self) -> Json:
        return {"group": self.group, "version": self.version, "kind": self.kind}

    def _resource(self) -> Json:
        return {"group": self.group, "version": self.version, "resource": self.resource}

    def _options(self) -> Json | None:
        kind = OPTIONS.get(self.operation)
        return {"kind": kind, "apiVersion": "meta.k8s.io/v1"} if kind else None
