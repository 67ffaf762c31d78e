"""What a namespace in a mesh needs through a default deny, besides DNS.

Owns the shape of policies/knowledge/mesh_ports.toml. Which key switches a mesh on is known by
`policies.namespaces.meshes`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from policies.baseline.facts import Facts
from policies.baseline.grants import Grant, Port, Problem, blocks, pods_in
from policies.baseline.settings import Namespace
from policies.knowledge import load
from policies.namespaces.meshes import settings
from policies.network_policies.effective import Direction
from policies.objects import Labels, ObjectMeta

Mode = Literal["istio-sidecar", "istio-ambient", "linkerd", "consul", "kuma"]


class ControlPlanes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Namespaces in which control planes run; those that do not exist are left out.

    istio: namespaces of Istio's.
    linkerd: namespaces of Linkerd's.
    consul: namespaces of Consul's.
    kuma: namespaces of Kuma's and Kong Mesh's.
    """

    istio: tuple[Namespace, ...] = ("istio-system", "aks-istio-system")
    linkerd: tuple[Namespace, ...] = ("linkerd",)
    consul: tuple[Namespace, ...] = ("consul",)
    kuma: tuple[Namespace, ...] = ("kuma-system", "kong-mesh-system")


class _Egress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ports: tuple[int, ...]
    labels: Labels = {}


class _Need(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    why: str
    pods: Labels = {}
    egress: _Egress | None = None
    ingress: tuple[str, ...] = ()


class _Mesh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    mesh: Literal["istio", "linkerd", "consul", "kuma"]
    needs: tuple[_Need, ...]
    tunnel: int | None = None


TABLE: Mapping[Mode, _Mesh] = load("mesh_ports", dict[Mode, _Mesh])
NAMES = frozenset(need.name for mesh in TABLE.values() for need in mesh.needs)
"""Of all NetworkPolicies that a namespace may need for its mesh."""


class Needed(NamedTuple):
    """One NetworkPolicy; pods: the labels of those it is for, all where empty."""

    name: str
    pods: Labels
    grants: tuple[Grant, ...]


def modes(labels: Mapping[str, str], annotations: Mapping[str, str]) -> frozenset[Mode]:
    """The data planes that a namespace joins; of the keys of one, the first present decides."""
    ruling: dict[str, str] = {}
    for one in settings(
        ObjectMeta(labels=dict(labels), annotations=dict(annotations)), "namespace"
    ):
        ruling.setdefault(one.key.mode, one.state)
    return frozenset(mode for mode in TABLE if ruling.get(mode) == "on")


def control_planes(planes: ControlPlanes) -> frozenset[str]:
    """Every namespace of a control plane that may exist: what Facts.namespaces is about."""
    return frozenset(name for mesh in _by_mesh(planes).values() for name in mesh)


def _by_mesh(planes: ControlPlanes) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, Any] = msgspec.structs.asdict(planes)
    return found


def tunnels(of: Collection[Mode]) -> tuple[Port, ...]:
    """The ports on which these meshes carry traffic for other ports."""
    return tuple(sorted({Port("TCP", port) for mode in of if (port := TABLE[mode].tunnel)}))


def needs(of: Collection[Mode], planes: ControlPlanes, facts: Facts) -> tuple[Needed, ...]:
    """The NetworkPolicies of these meshes, in the order of the table; none that opens nothing."""
    found: dict[str, Needed] = {}
    for mode, mesh in TABLE.items():
        for need in mesh.needs if mode in of else ():
            grants = tuple(_grants(mesh, need, _existing(mesh, planes, facts), facts))
            before = found.get(need.name, Needed(need.name, need.pods, ()))
            if grants:
                found[need.name] = before._replace(grants=before.grants + grants)
    return tuple(found.values())


def problems(of: Collection[Mode], planes: ControlPlanes, facts: Facts) -> Iterator[Problem]:
    """Meshes whose control plane is nowhere to be found."""
    for mode, mesh in TABLE.items():
        if mode in of and not _existing(mesh, planes, facts):
            looked = " and ".join(_by_mesh(planes)[mesh.mesh])
            yield Problem(
                "MeshControlPlaneNotFound",
                f"{mesh.title} is switched on, but its control plane is not in {looked}: set "
                f"baseline.controlPlanes.{mesh.mesh} to its namespace",
            )


def _existing(mesh: _Mesh, planes: ControlPlanes, facts: Facts) -> list[str]:
    return [name for name in _by_mesh(planes)[mesh.mesh] if name in facts.namespaces]


def _grants(mesh: _Mesh, need: _Need, namespaces: list[str], facts: Facts) -> Iterable[Grant]:
    why = f"{mesh.title}: {need.why}"
    if need.ingress:
        yield Grant(Direction.INGRESS, blocks(need.ingress, families=facts.families), (), why)
    if need.egress and namespaces:
        peer = pods_in(namespaces, need.egress.labels)
        ports = tuple(Port("TCP", number) for number in need.egress.ports)
        yield Grant(Direction.EGRESS, (peer,), ports, why)
