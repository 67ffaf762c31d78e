"""The cluster as the preview sees it: the pods of workloads, what stands behind Services. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple, TypeAlias

import msgspec

from policies.baseline.collect import keep_service, keep_slice
from policies.baseline.facts import EndpointSlice, Facts, Service, ServicePort
from policies.network_policies.effective import External, Party, Pods
from policies.network_policies.views import NetworkPolicy, NetworkPolicySpec
from policies.objects import ObjectMeta
from webhook.audit.baseline import views
from webhook.audit.baseline.read import Traffic

LONGEST_TEXT = 2000
"""Of a variable or an argument; what is longer is a certificate or a script."""
_OWNERS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob", "Job"})


class Text(NamedTuple):
    """What a container is told. where: for people, without the value, which may hold a secret."""

    where: str
    value: str


class Actor(NamedTuple):
    """The pods of one workload, all alike. ports: by name and protocol, of its containers.

    host_ports: protocol, number and address on the node, "" for all of its addresses, and the
    number in the pod.
    """

    namespace: str
    kind: str
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    ports: Mapping[tuple[str, str], int]
    numbers: tuple[tuple[str, int], ...]
    host_network: bool
    texts: tuple[Text, ...]
    host_ports: tuple[tuple[str, int, str, int], ...] = ()

    @property
    def title(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Outside(NamedTuple):
    """What is no pod. address: one that stands for all that it has, which are the networks."""

    title: str
    address: str
    networks: tuple[str, ...] = ()


class Somebody(NamedTuple):
    """Pods that were not found. namespaces: where the configuration says they are."""

    title: str
    namespaces: tuple[str, ...] = ()


End: TypeAlias = Actor | Outside | Somebody


class Behind(NamedTuple):
    """Who answers at a port of a Service, and at which port of its own."""

    end: Actor | Outside
    protocol: str
    port: int


class Cluster:
    """Everything in it is read from `traffic`; `facts` tell the addresses of nodes."""

    def __init__(self, traffic: Traffic, facts: Facts) -> None:
        self.traffic = traffic
        self._facts = facts

    @cached_property
    def actors(self) -> tuple[Actor, ...]:
        return tuple(actors(self.traffic.pods))

    @cached_property
    def actors_by_namespace(self) -> Mapping[str, list[Actor]]:
        found: dict[str, list[Actor]] = {}
        for one in self.actors:
            found.setdefault(one.namespace, []).append(one)
        return found

    @cached_property
    def services(self) -> Mapping[tuple[str, str], Service]:
        """By namespace and name."""
        kept = map(keep_service, self.traffic.services)
        return {(one.namespace, one.name): one for one in kept}

    @cached_property
    def slices(self) -> Mapping[tuple[str, str], list[EndpointSlice]]:
        """By namespace and name of the Service."""
        found: dict[tuple[str, str], list[EndpointSlice]] = {}
        for one in map(keep_slice, self.traffic.slices):
            found.setdefault((one.namespace, one.service), []).append(one)
        return found

    @cached_property
    def policies(self) -> tuple[NetworkPolicy, ...]:
        return tuple(policy(one) for one in self.traffic.policies)

    def selected(self, service: Service) -> list[Actor]:
        """Whose pods a Service picks; none where it has no selector."""
        return [
            one
            for one in self.actors_by_namespace.get(service.namespace, ())
            if service.selector and service.selector.items() <= one.labels.items()
        ]

    def behind(self, service: Service, port: ServicePort) -> Iterator[Behind]:
        """Pods by the selector, else and for pods on the node's network the endpoints."""
        found = self.selected(service)
        for one in found:
            number = self._number(service, port, one)
            if number and not one.host_network:
                yield Behind(one, port.protocol, number)
        if not found or any(one.host_network for one in found):
            yield from self._endpoints(service, port)

    def _number(self, service: Service, port: ServicePort, actor: Actor) -> int | None:
        if isinstance(port.target, int):
            return port.target
        named = actor.ports.get((port.target, port.protocol))
        return named or next((one for one, _ in self._slice_ports(service, port)), None)

    def _slice_ports(
        self, service: Service, port: ServicePort
    ) -> Iterator[tuple[int, EndpointSlice]]:
        for one in self.slices.get((service.namespace, service.name), ()):
            for offered in one.ports:
                if (offered.name, offered.protocol) == (port.name, port.protocol):
                    yield offered.port, one

    def _endpoints(self, service: Service, port: ServicePort) -> Iterator[Behind]:
        title = f"Service {service.namespace}/{service.name}"
        for number, one in self._slice_ports(service, port):
            for address in one.addresses:
                yield Behind(Outside(f"{title} at {address}", address), port.protocol, number)

    @property
    def node_addresses(self) -> tuple[str, ...]:
        return tuple(sorted(self._facts.node_addresses))

    def parties(self, end: End) -> tuple[Party, ...]:
        """As NetworkPolicies see an end: one for each of the places where it may be."""
        labels = self.traffic.namespaces
        if isinstance(end, Outside):
            return (External(end.address),)
        if isinstance(end, Somebody):
            return tuple(Pods(one, labels.get(one, {}), {}) for one in end.namespaces or ("",))
        if end.host_network:
            return tuple(map(External, self.node_addresses)) or (Pods("", {}, {}),)
        return (Pods(end.namespace, labels.get(end.namespace, {}), end.labels, (), end.ports),)


def policy(stored: views.StoredPolicy) -> NetworkPolicy:
    """As `effective` reads it."""
    metadata = ObjectMeta(name=stored.name, namespace=stored.namespace)
    return NetworkPolicy(metadata=metadata, spec=msgspec.convert(stored.spec, NetworkPolicySpec))


def actors(pods: Iterable[tuple[str, views.Object]]) -> Iterator[Actor]:
    """Of every workload that no other workload makes, by kind and object."""
    for kind, one in pods:
        owners = one.metadata.ownerReferences or ()
        template = None if any(owner.kind in _OWNERS for owner in owners) else _template(one)
        if template is not None and template.spec is not None:
            yield _actor(kind, one, template, template.spec)


def _template(one: views.Object) -> views.Pod | None:
    if isinstance(one, views.Pod):
        return one
    if isinstance(one, views.CronJob):
        job = one.spec.jobTemplate if one.spec else None
        return job.spec.template if job and job.spec else None
    return one.spec.template if isinstance(one, views.Templated) and one.spec else None


def _actor(kind: str, one: views.Object, template: views.Pod, spec: views.PodSpec) -> Actor:
    containers = (*(spec.initContainers or ()), *(spec.containers or ()))
    ports = [port for container in containers for port in container.ports or ()]
    numbers = [(port.protocol or "TCP", port.containerPort or 0) for port in ports]
    return Actor(
        one.namespace,
        kind,
        one.name,
        template.metadata.labels or {},
        template.metadata.annotations or {},
        {
            (port.name or "", protocol): number
            for port, (protocol, number) in zip(ports, numbers, strict=True)
        },
        tuple(dict.fromkeys(numbers)),
        bool(spec.hostNetwork),
        tuple(text for container in containers for text in _texts(container)),
        tuple(
            (port.protocol or "TCP", port.hostPort, port.hostIP or "", port.containerPort or 0)
            for port in ports
            if port.hostPort
        ),
    )


def _texts(container: views.Container) -> Iterator[Text]:
    name = container.name or ""
    for variable in container.env or ():
        if variable.value:
            where = f"variable {variable.name} of container {name}"
            yield Text(where, variable.value[:LONGEST_TEXT])
    for argument in (*(container.command or ()), *(container.args or ())):
        yield Text(f"an argument of container {name}", argument[:LONGEST_TEXT])
