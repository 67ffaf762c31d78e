"""What is known of the cluster, as small values; `gather` makes Facts of what was collected.

Draws no conclusion: those are `dns`, `cni` and `meshes`. Where it is found, `collect` says.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TypeAlias

import msgspec

from policies.objects import Labels


class ServicePort(msgspec.Struct, frozen=True, gc=False):
    """target: the number or the name of the port on the pods."""

    name: str
    protocol: str
    port: int
    target: int | str


class Service(msgspec.Struct, frozen=True):
    """addresses: its ClusterIPs, canonical; none where it is headless."""

    namespace: str
    name: str
    labels: Labels
    addresses: tuple[str, ...]
    selector: Labels
    ports: tuple[ServicePort, ...]


class EndpointPort(msgspec.Struct, frozen=True, gc=False):
    name: str
    protocol: str
    port: int


class EndpointSlice(msgspec.Struct, frozen=True):
    """service: its name. addresses: of endpoints ready or not, canonical."""

    namespace: str
    name: str
    service: str
    addresses: tuple[str, ...]
    ports: tuple[EndpointPort, ...]


class Node(msgspec.Struct, frozen=True):
    """provider: prefix of spec.providerID. labels: those that a table asks for.

    arguments: the command line of k3s, where the node tells it.
    """

    provider: str = ""
    kubelet: str = ""
    os: str = ""
    addresses: tuple[str, ...] = ()
    labels: Labels = {}
    arguments: tuple[str, ...] = ()


class Container(msgspec.Struct, frozen=True, gc=False):
    """arguments: command and args."""

    name: str
    image: str
    arguments: tuple[str, ...]


class DaemonSet(msgspec.Struct, frozen=True):
    """labels: of its pods. runs: false if no node is meant to run it."""

    namespace: str
    name: str
    labels: Labels
    host_network: bool
    containers: tuple[Container, ...]
    runs: bool = True


class ConfigMap(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    data: Labels


Kept: TypeAlias = Service | EndpointSlice | Node | DaemonSet | ConfigMap


class Facts(msgspec.Struct, frozen=True):
    """All of it, in an order that does not depend on the order in which it was learned.

    namespaces: which of the namespaces that were asked for exist. groups: API groups that are
    served. Without anything nothing is known.
    """

    services: tuple[Service, ...] = ()
    slices: tuple[EndpointSlice, ...] = ()
    nodes: tuple[Node, ...] = ()
    daemon_sets: tuple[DaemonSet, ...] = ()
    config_maps: tuple[ConfigMap, ...] = ()
    namespaces: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def slices_of(self, service: Service) -> tuple[EndpointSlice, ...]:
        return self.slices_named(service.namespace, service.name)

    def slices_named(self, namespace: str, service: str) -> tuple[EndpointSlice, ...]:
        return tuple(
            one for one in self.slices if (one.namespace, one.service) == (namespace, service)
        )

    def service(self, namespace: str, name: str) -> Service | None:
        wanted = (namespace, name)
        return next((one for one in self.services if (one.namespace, one.name) == wanted), None)

    @property
    def node_addresses(self) -> frozenset[str]:
        return frozenset(address for node in self.nodes for address in node.addresses)

    @property
    def families(self) -> frozenset[int]:
        """The IP families of the cluster, by its nodes and Services; both while none is known."""
        of_services = (address for service in self.services for address in service.addresses)
        known = {ip_address(one).version for one in (*of_services, *self.node_addresses)}
        return frozenset(known or (4, 6))


def canonical(text: str) -> str:
    """An address as `ipaddress` writes it; "" for what is none."""
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return ""


def gather(
    kept: Iterable[Kept], *, namespaces: Iterable[str] = (), groups: Iterable[str] = ()
) -> Facts:
    """Facts of what the sources keep; ``namespaces``: those that `meshes.control_planes` names."""
    kept = tuple(kept)
    named = sorted((one for one in kept if not isinstance(one, Node)), key=_place)
    nodes = {_text(one): one for one in kept if isinstance(one, Node)}
    return Facts(
        services=tuple(one for one in named if isinstance(one, Service)),
        slices=tuple(one for one in named if isinstance(one, EndpointSlice)),
        nodes=tuple(node for _, node in sorted(nodes.items())),
        daemon_sets=tuple(one for one in named if isinstance(one, DaemonSet)),
        config_maps=tuple(one for one in named if isinstance(one, ConfigMap)),
        namespaces=frozenset(namespaces),
        groups=frozenset(groups),
    )


def _text(node: Node) -> bytes:
    return msgspec.json.encode(node, order="deterministic")


def _place(one: Service | EndpointSlice | DaemonSet | ConfigMap) -> tuple[str, str]:
    return one.namespace, one.name
