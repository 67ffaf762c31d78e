"""The kinds Netreeve reads: their API group, resource, view type, and what policies judge in them.

Owns the one table from (group, resource) to a reader; the gate and the command line both use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from policies.network_policies.length import of_bearable_length
from policies.network_policies.views import NetworkPolicy
from policies.objects import (
    CronJob,
    Endpoints,
    EndpointSlice,
    Namespace,
    Object,
    Pod,
    PodTemplate,
    Service,
    Templated,
)
from policies.workloads import TEMPLATE_PATHS, CustomWorkload, pod_views


@dataclass(frozen=True)
class Resource:
    """One kind: how its JSON becomes a view, and the view the subjects that policies judge.

    decode: bytes of the object -> view; raises msgspec.DecodeError or RecursionError.
    subjects: view -> what each policy is called with, in order (one Service, several pods).
    namespaced: whether its objects live in a namespace.
    most_bytes: of its JSON; a larger one is not judged, so that nobody else has to wait for it.
    """

    group: str
    resource: str
    kind: str
    decode: Callable[[bytes | msgspec.Raw], Any]
    subjects: Callable[[Any], tuple[Any, ...]]
    namespaced: bool = True
    most_bytes: int = 1 << 20


def _itself(obj: Any) -> tuple[Any, ...]:
    return (obj,)


def _plain(group: str, resource: str, view: type[Object], **more: Any) -> Resource:
    decode = msgspec.json.Decoder(view).decode
    return Resource(group, resource, view.__name__, decode, _itself, **more)


_VIEWS: dict[str, type[Object]] = {"cronjobs": CronJob, "podtemplates": PodTemplate}
_KINDS = {
    "podtemplates": "PodTemplate",
    "replicationcontrollers": "ReplicationController",
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "replicasets": "ReplicaSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
}


def _templated(group: str, resource: str) -> Resource:
    view = _VIEWS.get(resource, Templated)
    decode = msgspec.json.Decoder(view).decode
    return Resource(group, resource, _KINDS[resource], decode, pod_views)


BUILT_IN: tuple[Resource, ...] = (
    _plain("", "namespaces", Namespace, namespaced=False),
    _plain("", "services", Service, most_bytes=512 << 10),
    _plain("", "endpoints", Endpoints),
    _plain("discovery.k8s.io", "endpointslices", EndpointSlice),
    Resource(
        "networking.k8s.io",
        "networkpolicies",
        "NetworkPolicy",
        msgspec.json.Decoder(NetworkPolicy).decode,
        of_bearable_length,
        most_bytes=256 << 10,
    ),
    Resource("", "pods", "Pod", msgspec.json.Decoder(Pod).decode, pod_views),
    *(_templated(group, resource) for group, resource in TEMPLATE_PATHS),
)


def custom(workload: CustomWorkload) -> Resource:
    """The Resource of a custom workload from the configuration."""
    return Resource(
        workload.group,
        workload.resource,
        workload.kind,
        msgspec.json.Decoder().decode,
        workload.reader(),
    )


def by_resource(resources: Iterable[Resource]) -> dict[tuple[str, str], Resource]:
    """Index by (group, resource)."""
    return {(one.group, one.resource): one for one in resources}
