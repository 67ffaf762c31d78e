"""Which objects the facts are found in, and what is kept of each.

`sources` is the whole of what the controller follows, and what its role must allow. Talks to
nobody: it names paths, views and what to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec

from policies.baseline import views
from policies.baseline.facts import (
    ConfigMap,
    Container,
    DaemonSet,
    EndpointPort,
    EndpointSlice,
    Kept,
    Node,
    Service,
    ServicePort,
    canonical,
)
from policies.labels import SERVICE_OF_SLICE

NODE_MARKS = frozenset(
    {
        "eks.amazonaws.com/compute-type",
        "kubernetes.azure.com/localdns-state",
        "kubernetes.azure.com/network-policy",
    }
)
"""The labels of nodes that a table asks for; others are not kept, since they come and go."""

CONFIG_MAPS = (("kube-system", "cilium-config"), ("kube-system", "amazon-vpc-cni"))
"""The ConfigMaps that a table asks for."""

_K3S_ARGUMENTS = "k3s.io/node-args"  # the command line of k3s on that node as a JSON list


class Source(msgspec.Struct, frozen=True):
    """One collection of the API to follow: list and watch on it are all the rights it takes.

    namespace: "" for all. name: of the only object that is asked for, "" for all.
    service: EndpointSlices of this Service only.
    """

    group: str
    version: str
    resource: str
    view: type[views.Observed]
    keep: Callable[[Any], Kept]
    namespace: str = ""
    name: str = ""
    service: str = ""

    @property
    def path(self) -> str:
        """Of the collection: ``/api/v1/namespaces/kube-system/services``."""
        start = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        middle = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"{start}{middle}/{self.resource}"

    @property
    def params(self) -> Mapping[str, str]:
        """fieldSelector or labelSelector."""
        if self.name:
            return {"fieldSelector": f"metadata.name={self.name}"}
        if self.service:
            return {"labelSelector": f"{SERVICE_OF_SLICE}={self.service}"}
        return {}


def sources(dns_namespaces: Collection[str]) -> tuple[Source, ...]:
    """Everything to follow; ``dns_namespaces``: as `dns.namespaces` says."""
    return (
        Source("", "v1", "nodes", views.Node, keep_node),
        Source("apps", "v1", "daemonsets", views.DaemonSet, keep_daemon_set),
        *(_config_map(namespace, name) for namespace, name in CONFIG_MAPS),
        *(
            source
            for namespace in sorted({*dns_namespaces, "default"})
            for source in _services(namespace, "" if namespace in dns_namespaces else "kubernetes")
        ),
    )


def _config_map(namespace: str, name: str) -> Source:
    return Source("", "v1", "configmaps", views.ConfigMap, keep_config_map, namespace, name)


def _services(namespace: str, name: str) -> tuple[Source, Source]:
    """Services and their EndpointSlices; the one named, or all of the namespace."""
    group, slices = "discovery.k8s.io", views.EndpointSlice
    return (
        Source("", "v1", "services", views.Service, keep_service, namespace, name),
        Source(group, "v1", "endpointslices", slices, keep_slice, namespace, service=name),
    )


# --- What is kept of each kind


def keep_service(service: views.Service) -> Service:
    spec = service.spec
    return Service(
        namespace=service.metadata.namespace,
        name=service.metadata.name,
        labels=service.metadata.labels or {},
        addresses=_addresses((spec and spec.clusterIPs) or ()),
        selector=(spec and spec.selector) or {},
        ports=tuple(
            ServicePort(one.name or "", one.protocol or "TCP", one.port, one.targetPort or one.port)
            for one in (spec and spec.ports) or ()
            if one.port
        ),
    )


def keep_slice(slice_: views.EndpointSlice) -> EndpointSlice:
    found = (address for one in slice_.endpoints or () for address in one.addresses or ())
    return EndpointSlice(
        namespace=slice_.metadata.namespace,
        name=slice_.metadata.name,
        service=(slice_.metadata.labels or {}).get(SERVICE_OF_SLICE, ""),
        addresses=tuple(sorted(set(_addresses(found)))),
        ports=tuple(
            EndpointPort(one.name or "", one.protocol or "TCP", one.port)
            for one in slice_.ports or ()
            if one.port
        ),
    )


def keep_node(node: views.Node) -> Node:
    status, info = node.status, node.status and node.status.nodeInfo
    identity = (node.spec and node.spec.providerID) or ""
    labels = node.metadata.labels or {}
    return Node(
        provider=identity.partition("://")[0] if "://" in identity else "",
        kubelet=(info and info.kubeletVersion) or "",
        os=(info and info.operatingSystem) or "",
        addresses=_addresses(
            one.address or ""
            for one in (status and status.addresses) or ()
            if one.type in ("InternalIP", "ExternalIP")
        ),
        labels={key: labels[key] for key in sorted(NODE_MARKS & labels.keys())},
        arguments=_arguments((node.metadata.annotations or {}).get(_K3S_ARGUMENTS, "[]")),
    )


def keep_daemon_set(daemon_set: views.DaemonSet) -> DaemonSet:
    template = daemon_set.spec and daemon_set.spec.template
    spec, metadata = (template.spec, template.metadata) if template else (None, None)
    status = daemon_set.status
    return DaemonSet(
        namespace=daemon_set.metadata.namespace,
        name=daemon_set.metadata.name,
        labels=(metadata and metadata.labels) or {},
        host_network=bool(spec and spec.hostNetwork),
        containers=tuple(
            Container(one.name or "", one.image or "", (*(one.command or ()), *(one.args or ())))
            for one in (spec and spec.containers) or ()
        ),
        runs=status is None or status.desiredNumberScheduled != 0,
    )


def keep_config_map(config_map: views.ConfigMap) -> ConfigMap:
    return ConfigMap(config_map.metadata.namespace, config_map.metadata.name, config_map.data or {})


def _addresses(texts: Iterable[str]) -> tuple[str, ...]:
    """Those that are addresses, canonical: a headless Service has "None"."""
    return tuple(filter(None, map(canonical, texts)))


def _arguments(text: str) -> tuple[str, ...]:
    try:
        return tuple(msgspec.json.decode(text, type=list[str]))
    except msgspec.DecodeError:
        return ()
