"""Every opening of a Service: the one list that policies and audit read.

A pure function of the Service. Knows no policy, no provider's defaults and no request.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec

from policies.objects import Service, ServicePort, ServiceSpec, ServiceStatus
from policies.services.balancers import (
    ADDRESSES,
    LOAD_BALANCER,
    RANGE_ANNOTATIONS,
    is_load_balanced,
)
from policies.services.lengths import first, first_parts, too_long

LOCAL = "Local"
NODE_PORT = "NodePort"


class Kind(enum.Enum):
    """What is opened, in words for people."""

    NODE_PORT = "node port"
    ALLOCATED_NODE_PORT = "node port allocated for a load balancer"
    HEALTH_CHECK_PORT = "health check node port"
    EXTERNAL_IP = "external IP"
    LOAD_BALANCER = "load balancer port"
    LOAD_BALANCER_ADDRESS = "load balancer address"
    SOURCE_RANGE = "source range"


class Opening(msgspec.Struct, frozen=True):
    """One way in.

    field: its path, whether or not it is set yet. number: of a node port, None until the API
    server allocates it. value: an IP address, host name or CIDR as written. port: the Service port
    that is reached, None for all of them. allocated: nobody asked for this number, as far as can
    be told.
    """

    kind: Kind
    field: str
    number: int | None = None
    value: str = ""
    port: ServicePort | None = None
    allocated: bool = False


def openings(service: Service) -> tuple[Opening, ...]:
    """All openings, in the order of the fields; a plain ClusterIP Service has none.

    Of a list that is too long (lengths.py), one opening more than the limit, so that it shows.
    """
    found: list[Opening] = []
    spec = service.spec
    if spec is not None:
        annotations = (service.metadata and service.metadata.annotations) or {}
        found += node_ports(spec)
        found += external_ips(spec, annotations)
        if is_load_balanced(spec, annotations):
            found += _load_balancer(spec, annotations)
    if service.status is not None:
        found += _addresses(service.status)
    return tuple(found)


def _went_through_api_server(spec: ServiceSpec) -> bool:
    """Whether the API server may have allocated node ports: it does so together with cluster IPs.

    Without a cluster IP, as in a manifest, a number was written by somebody; with one, nobody can
    tell.
    """
    return spec.clusterIP not in (None, "", "None")


def node_ports(spec: ServiceSpec) -> Iterator[Opening]:
    """Openings on the nodes: for the Service's ports, and for health checks."""
    yield from _of_ports(spec)
    yield from _health_check(spec)


def _of_ports(spec: ServiceSpec) -> Iterator[Opening]:
    of_balancer = spec.type == LOAD_BALANCER and spec.allocateLoadBalancerNodePorts is not False
    automatic = of_balancer or spec.type == NODE_PORT
    if spec.type == NODE_PORT and not spec.ports:  # a patch of Kustomize: the ports are elsewhere
        yield Opening(Kind.NODE_PORT, "spec.ports")
    for index, port in enumerate(first(spec.ports or ())):
        if automatic or port.nodePort:
            number = port.nodePort or None
            allocated = of_balancer and (number is None or _went_through_api_server(spec))
            kind = Kind.ALLOCATED_NODE_PORT if allocated else Kind.NODE_PORT
            field = f"spec.ports[{index}].nodePort"
            yield Opening(kind, field, number, port=port, allocated=allocated)


def _health_check(spec: ServiceSpec) -> Iterator[Opening]:
    """A load balancer with externalTrafficPolicy Local always gets one."""
    number = spec.healthCheckNodePort or None
    if number or (spec.type == LOAD_BALANCER and spec.externalTrafficPolicy == LOCAL):
        allocated = number is None or _went_through_api_server(spec)
        yield Opening(
            Kind.HEALTH_CHECK_PORT, "spec.healthCheckNodePort", number, allocated=allocated
        )


def external_ips(spec: ServiceSpec, annotations: dict[str, str]) -> Iterator[Opening]:
    """Addresses that nodes take in traffic for: of the field, and of annotations of some clouds."""
    for index, address in enumerate(first(spec.externalIPs or ())):
        yield Opening(Kind.EXTERNAL_IP, f"spec.externalIPs[{index}]", value=address)
    for key in ADDRESSES if spec.type == LOAD_BALANCER else ():
        parts = first_parts(annotations.get(key, ""))
        for address in map(str.strip, parts):
            if address or too_long(key, len(parts)):  # else empty ones could hide what follows
                yield Opening(Kind.EXTERNAL_IP, f"metadata.annotations[{key}]", value=address)


def _load_balancer(spec: ServiceSpec, annotations: dict[str, str]) -> Iterator[Opening]:
    for index, port in enumerate(first(spec.ports or ())):
        yield Opening(Kind.LOAD_BALANCER, f"spec.ports[{index}].port", port=port)
    if not spec.ports:
        yield Opening(Kind.LOAD_BALANCER, "spec.ports")
    if spec.loadBalancerIP:
        yield Opening(Kind.LOAD_BALANCER_ADDRESS, "spec.loadBalancerIP", value=spec.loadBalancerIP)
    yield from _source_ranges(spec, annotations)


def _source_ranges(spec: ServiceSpec, annotations: dict[str, str]) -> Iterator[Opening]:
    """The field, or where it is empty what annotations of some providers say instead."""
    ranges = first(spec.loadBalancerSourceRanges or ())
    for index, cidr in enumerate(ranges):
        field = f"spec.loadBalancerSourceRanges[{index}]"
        yield Opening(Kind.SOURCE_RANGE, field, value=cidr)
    for key in () if ranges else RANGE_ANNOTATIONS:
        for cidr in first_parts(annotations[key]) if key in annotations else ():
            yield Opening(Kind.SOURCE_RANGE, f"metadata.annotations[{key}]", value=cidr)


def _addresses(status: ServiceStatus) -> Iterator[Opening]:
    balancer = status.loadBalancer
    for index, ingress in enumerate(first((balancer and balancer.ingress) or ())):
        for name, value in (("ip", ingress.ip), ("hostname", ingress.hostname)):
            if value:
                field = f"status.loadBalancer.ingress[{index}].{name}"
                yield Opening(Kind.LOAD_BALANCER_ADDRESS, field, value=value)
