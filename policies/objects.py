"""The parts of Kubernetes objects that policies read, as typed views with Kubernetes' own names.

Decoding into these skips everything else, which is most of what an admission review carries.
Every field may be absent or null, as the API allows. A value of the wrong type is an error of
the decoder, with its path: such an object is malformed, not harmless.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Labels: TypeAlias = dict[str, str]


class View(msgspec.Struct, omit_defaults=True, gc=False):
    """Base of all views: unset fields are left out when a patch value is written.

    Views are trees, so the garbage collector has nothing to find in them.
    """


class OwnerReference(View):
    apiVersion: str | None = None
    kind: str | None = None
    name: str | None = None
    controller: bool | None = None


class ObjectMeta(View):
    name: str | None = None
    generateName: str | None = None
    namespace: str | None = None
    labels: Labels | None = None
    annotations: Labels | None = None
    ownerReferences: list[OwnerReference] | None = None
    deletionTimestamp: str | None = None


class Object(View):
    """What every kind has."""

    metadata: ObjectMeta | None = None


class Namespace(Object):
    pass


# --- Services and what stands behind them


class ServicePort(View):
    name: str | None = None
    protocol: str | None = None
    port: int | None = None
    targetPort: int | str | None = None
    nodePort: int | None = None


class ServiceSpec(View):
    type: str | None = None
    ports: list[ServicePort] | None = None
    selector: Labels | None = None
    clusterIP: str | None = None
    clusterIPs: list[str] | None = None
    ipFamilies: list[str] | None = None
    ipFamilyPolicy: str | None = None
    externalIPs: list[str] | None = None
    externalName: str | None = None
    externalTrafficPolicy: str | None = None
    healthCheckNodePort: int | None = None
    allocateLoadBalancerNodePorts: bool | None = None
    loadBalancerClass: str | None = None
    loadBalancerIP: str | None = None
    loadBalancerSourceRanges: list[str] | None = None


class LoadBalancerIngress(View):
    ip: str | None = None
    hostname: str | None = None


class LoadBalancerStatus(View):
    ingress: list[LoadBalancerIngress] | None = None


class ServiceStatus(View):
    loadBalancer: LoadBalancerStatus | None = None


class Service(Object):
    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None


class EndpointAddress(View):
    ip: str | None = None


class EndpointPort(View):
    port: int | None = None
    protocol: str | None = None


class EndpointSubset(View):
    addresses: list[EndpointAddress] | None = None
    notReadyAddresses: list[EndpointAddress] | None = None
    ports: list[EndpointPort] | None = None


class Endpoints(Object):
    subsets: list[EndpointSubset] | None = None


class Endpoint(View):
    addresses: list[str] | None = None


class EndpointSlice(Object):
    addressType: str | None = None
    endpoints: list[Endpoint] | None = None
    ports: list[EndpointPort] | None = None


# --- Pods and their templates


class ContainerPort(View):
    name: str | None = None
    containerPort: int | None = None
    hostPort: int | None = None
    hostIP: str | None = None
    protocol: str | None = None


class HTTPGetAction(View):
    host: str | None = None
    port: int | str | None = None


class TCPSocketAction(View):
    host: str | None = None
    port: int | str | None = None


class Handler(View):
    """A probe or a lifecycle hook: both carry the same two actions."""

    httpGet: HTTPGetAction | None = None
    tcpSocket: TCPSocketAction | None = None


class Lifecycle(View):
    postStart: Handler | None = None
    preStop: Handler | None = None


class Capabilities(View):
    add: list[str] | None = None
    drop: list[str] | None = None


class ContainerSecurityContext(View):
    privileged: bool | None = None
    capabilities: Capabilities | None = None


class Container(View):
    """A main, init or ephemeral container: the API gives all three the fields read here."""

    name: str | None = None
    image: str | None = None
    command: list[str] | None = None
    ports: list[ContainerPort] | None = None
    livenessProbe: Handler | None = None
    readinessProbe: Handler | None = None
    startupProbe: Handler | None = None
    lifecycle: Lifecycle | None = None
    securityContext: ContainerSecurityContext | None = None


class Sysctl(View):
    name: str | None = None
    value: str | None = None


class PodSecurityContext(View):
    sysctls: list[Sysctl] | None = None


class PodDNSConfigOption(View):
    name: str | None = None
    value: str | None = None


class PodDNSConfig(View):
    options: list[PodDNSConfigOption] | None = None


class PodOS(View):
    name: str | None = None


class PodSchedulingGate(View):
    name: str | None = None


class PodSpec(View):
    containers: list[Container] | None = None
    initContainers: list[Container] | None = None
    ephemeralContainers: list[Container] | None = None
    hostNetwork: bool | None = None
    dnsPolicy: str | None = None
    dnsConfig: PodDNSConfig | None = None
    securityContext: PodSecurityContext | None = None
    serviceAccountName: str | None = None
    nodeName: str | None = None
    nodeSelector: Labels | None = None
    os: PodOS | None = None
    schedulingGates: list[PodSchedulingGate] | None = None


class Pod(Object):
    spec: PodSpec | None = None


class PodTemplateSpec(Object):
    spec: PodSpec | None = None


class PodTemplate(Object):
    template: PodTemplateSpec | None = None


class TemplatedSpec(View):
    template: PodTemplateSpec | None = None


class Templated(Object):
    """Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job."""

    spec: TemplatedSpec | None = None


class JobTemplateSpec(View):
    spec: TemplatedSpec | None = None


class CronJobSpec(View):
    jobTemplate: JobTemplateSpec | None = None


class CronJob(Object):
    spec: CronJobSpec | None = None
