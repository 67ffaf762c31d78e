"""Objects of the API server as typed views, with no more than the preview reads of them.

Every field may be absent, as the API allows. What pods are told in words (command, arguments,
environment) is read here and nowhere else.
"""

from __future__ import annotations

import msgspec

from policies.baseline import views
from policies.objects import (
    ContainerPort,
    LoadBalancerStatus,
    ObjectMeta,
    ServiceStatus,
    View,
)


class Meta(ObjectMeta):
    uid: str | None = None


class Object(View):
    metadata: Meta = msgspec.field(default_factory=Meta)

    @property
    def name(self) -> str:
        return self.metadata.name or ""

    @property
    def namespace(self) -> str:
        return self.metadata.namespace or ""


class StoredPolicy(Object):
    """spec: its plain JSON, to be compared as it is."""

    spec: dict[str, object] | None = None


class Service(views.Service):
    status: ServiceStatus | None = None


class EnvVar(View):
    name: str | None = None
    value: str | None = None


class Container(View):
    name: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[EnvVar] | None = None
    ports: list[ContainerPort] | None = None


class PodSpec(View):
    containers: list[Container] | None = None
    initContainers: list[Container] | None = None
    hostNetwork: bool | None = None


class Pod(Object):
    """A pod, or the template of one."""

    spec: PodSpec | None = None


class TemplatedSpec(View):
    template: Pod | None = None


class Templated(Object):
    spec: TemplatedSpec | None = None


class JobTemplate(View):
    spec: TemplatedSpec | None = None


class CronJobSpec(View):
    jobTemplate: JobTemplate | None = None


class CronJob(Object):
    spec: CronJobSpec | None = None


# --- Ways in from outside


class BackendPort(View):
    number: int | None = None
    name: str | None = None


class ServiceBackend(View):
    name: str | None = None
    port: BackendPort | None = None


class IngressBackend(View):
    service: ServiceBackend | None = None


class IngressPath(View):
    backend: IngressBackend | None = None


class IngressPaths(View):
    paths: list[IngressPath] | None = None


class IngressRule(View):
    host: str | None = None
    http: IngressPaths | None = None


class IngressSpec(View):
    defaultBackend: IngressBackend | None = None
    rules: list[IngressRule] | None = None


class IngressStatus(View):
    loadBalancer: LoadBalancerStatus | None = None


class Ingress(Object):
    spec: IngressSpec | None = None
    status: IngressStatus | None = None


class GatewayAddress(View):
    value: str | None = None


class GatewayStatus(View):
    addresses: list[GatewayAddress] | None = None


class Listener(View):
    hostname: str | None = None
    port: int | None = None
    protocol: str | None = None


class GatewaySpec(View):
    listeners: list[Listener] | None = None


class Gateway(Object):
    spec: GatewaySpec | None = None
    status: GatewayStatus | None = None


class Reference(View):
    """A parentRef or a backendRef."""

    group: str | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    port: int | None = None


class RouteRule(View):
    backendRefs: list[Reference] | None = None


class RouteSpec(View):
    hostnames: list[str] | None = None
    parentRefs: list[Reference] | None = None
    rules: list[RouteRule] | None = None


class Route(Object):
    """HTTPRoute or GRPCRoute: their references have one shape."""

    spec: RouteSpec | None = None
