"""What manifests tell of each other: labels of namespaces, and the policies beside a policy.

A cluster of which only the manifests are known. Gives no verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

import msgspec

from policies.network_policies.views import NetworkPolicy
from policies.resources import Resource
from webhook.admission.cluster import Offline
from webhook.admission.gate import Gate
from webhook.admission.lanes import UNREADABLE
from webhook.audit.judge import admitted, creation, namespace_labels
from webhook.audit.kinds import Kinds, find
from webhook.audit.manifests import Manifest
from webhook.exemptions.claim import only


class Surroundings(Offline):
    """The namespaces and NetworkPolicies among the manifests, as the gate would leave them.

    A namespace that is not among them is not known; its policies may be. Whether the baseline of
    a namespace is there already is a matter of time, so that stays unknown too.
    """

    def __init__(
        self, manifests: Iterable[Manifest], known: Kinds, gate: Gate, default_namespace: str
    ) -> None:
        self._namespaces: dict[str, tuple[Resource, Manifest]] = {}
        self._policies: dict[str, list[NetworkPolicy]] = {}
        for one in manifests:
            resource = find(known, one.api_version, one.kind)
            if resource is None or resource.resource not in ("namespaces", "networkpolicies"):
                continue
            namespace = creation(resource, one.object, default_namespace).namespace
            if resource.resource == "namespaces":
                self._namespaces[namespace] = (resource, one)
            elif policy := _decoded(resource, one):
                self._policies.setdefault(namespace, []).append(policy)
        self._gate = gate
        self._labels: dict[str, Mapping[str, str]] = {}

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        if namespace not in self._namespaces:
            return None
        if namespace not in self._labels:
            resource, manifest = self._namespaces[namespace]
            request = creation(resource, manifest.object, "")
            left, _ = admitted(self._gate, request, manifest.object)
            self._labels[namespace] = namespace_labels(left)
        return self._labels[namespace]

    def exemption(self, namespace: str) -> Mapping[str, str]:
        if namespace not in self._namespaces:
            return {}
        metadata = self._namespaces[namespace][1].object.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        return only(annotations) if _is_texts(annotations) else {}

    def network_policies(self, namespace: str) -> tuple[NetworkPolicy, ...] | None:
        return tuple(self._policies.get(namespace, ()))


def _is_texts(value: Any) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _decoded(resource: Resource, manifest: Manifest) -> NetworkPolicy | None:
    """None for one that cannot be read: the verdict on it says so."""
    try:
        found = resource.decode(msgspec.json.encode(manifest.object))
    except (*UNREADABLE, UnicodeEncodeError):  # half of a surrogate pair, from "\\ud800"
        return None
    assert isinstance(found, NetworkPolicy)
    return found
