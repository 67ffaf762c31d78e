"""Manifests as the cluster that they would be: what `expose` needs of them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from policies.baseline import views as facts_views
from webhook.audit.baseline import views
from webhook.audit.baseline.cluster import policy
from webhook.audit.baseline.read import GATEWAY_API, WORKLOADS, Traffic
from webhook.audit.exposure.model import Unread
from webhook.audit.findings import Unreadable
from webhook.audit.manifests import Input, Manifest, text_at

_WORKLOADS = {(version.rpartition("/")[0], kind): view for version, _, kind, view in WORKLOADS}
_GATEWAY = GATEWAY_API.rpartition("/")[0]
_VIEWS: dict[tuple[str, str], type[Any]] = {
    **_WORKLOADS,
    ("", "Namespace"): views.Object,
    ("", "Service"): views.Service,
    ("discovery.k8s.io", "EndpointSlice"): facts_views.EndpointSlice,
    ("networking.k8s.io", "NetworkPolicy"): views.StoredPolicy,
    ("networking.k8s.io", "Ingress"): views.Ingress,
    (_GATEWAY, "Gateway"): views.Gateway,
    (_GATEWAY, "HTTPRoute"): views.Route,
    (_GATEWAY, "GRPCRoute"): views.Route,
}


def gathered(inputs: Iterable[Input], default: str) -> tuple[Traffic, tuple[Unread, ...]]:
    """default: the namespace of objects that name none. What cannot be read is named."""
    found: dict[tuple[str, str], dict[tuple[str, str], Any]] = {key: {} for key in _VIEWS}
    unread: list[Unread] = []
    for one in inputs:
        if isinstance(one, Unreadable):
            place = one.file if one.line is None else f"{one.file}:{one.line}"
            unread.append(Unread(place, one.message))
        if not isinstance(one, Manifest):
            continue
        key = one.api_version.rpartition("/")[0], one.kind
        if key in _VIEWS:
            place = text_at(one.object, "metadata", "namespace") or default
            name = text_at(one.object, "metadata", "name") or f"{len(found[key])}*"
            try:
                found[key][place, name] = _view(one, key, place)
            except (msgspec.ValidationError, ValueError) as error:
                unread.append(Unread(f"{one.file}:{one.line}", f"not in the map: {error}"))
    return _traffic(found), tuple(unread)


def _view(manifest: Manifest, key: tuple[str, str], namespace: str) -> Any:
    metadata = {**(manifest.object.get("metadata") or {}), "namespace": namespace}
    view = msgspec.convert({**manifest.object, "metadata": metadata}, _VIEWS[key])
    if isinstance(view, views.StoredPolicy):
        policy(view)
    return view


def _traffic(found: dict[tuple[str, str], dict[tuple[str, str], Any]]) -> Traffic:
    def all_of(group: str, *kinds: str) -> tuple[Any, ...]:
        return tuple(one for kind in kinds for one in found[group, kind].values())

    return Traffic(
        {one.name: one.metadata.labels or {} for one in all_of("", "Namespace")},
        all_of("networking.k8s.io", "NetworkPolicy"),
        tuple((kind, one) for group, kind in _WORKLOADS for one in found[group, kind].values()),
        all_of("", "Service"),
        all_of("discovery.k8s.io", "EndpointSlice"),
        all_of("networking.k8s.io", "Ingress"),
        all_of(_GATEWAY, "Gateway"),
        all_of(_GATEWAY, "HTTPRoute", "GRPCRoute"),
        (),
    )
