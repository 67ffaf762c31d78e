"""host-port: a host port is an opening on the node that no Service and few policies know of.

Field: hostPort of every port of init (sidecars are among them) and main containers. Allowed:
absent, 0, a port of the parameter allowedPorts. Not judged on pods with hostNetwork: there the
API server itself fills in hostPort (on Pods, since 1.28 no longer in templates), and host-network
reports the pod. Warned of only, on UPDATE: a port that the same pod had open on every address of
the node, by hostPort or, with hostNetwork until now, by declaring it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated

import msgspec

from policies.model import Action, Policy, Request, Violation
from policies.objects import ContainerPort
from policies.workloads import WORKLOADS, PodView

PortNumber = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which host ports may be used.

    allowedPorts: host ports that any pod may open, of every protocol and on every address.
    allowLoopback: whether host ports on a loopback address of the node (hostIP 127.0.0.1, ::1)
        may be used; they can still be reached by every process of the node and every pod with
        hostNetwork.
    """

    allowedPorts: frozenset[PortNumber] = frozenset()
    allowLoopback: bool = False


def validate(pod: PodView, request: Request, params: Params) -> Iterator[Violation]:
    if pod.spec.hostNetwork:
        return
    were_open = _open_everywhere(request.old, pod)
    for index, container in enumerate(pod.containers):
        for position, port in enumerate(container.ports or ()):
            if port.hostPort and port.hostPort not in params.allowedPorts:
                address = _address(port.hostIP)
                loopback = bool(address and address.is_loopback)
                if not (loopback and params.allowLoopback):
                    field = f"{pod.field_of(index)}.ports[{position}].hostPort"
                    found = _violation(pod, port, field, _instead(request), loopback=loopback)
                    was_open = (port.protocol or "TCP", port.hostPort) in were_open
                    yield msgspec.structs.replace(found, at_most=Action.WARN) if was_open else found


def _open_everywhere(old: object, pod: PodView) -> frozenset[tuple[str, int]]:
    """Protocol and number of the ports that the pod as it was had open on every address.

    With hostNetwork a containerPort is a port of the node, and hostPort can only repeat it. The
    old subject is that of the first pod of its object, hence the key.
    """
    if not isinstance(old, PodView) or old.key != pod.key:
        return frozenset()
    ports = [port for container in old.containers for port in container.ports or ()]
    if old.spec.hostNetwork:
        return frozenset(
            (one.protocol or "TCP", one.hostPort or one.containerPort or 0) for one in ports
        )
    everywhere = (one for one in ports if one.hostPort and _is_any(one.hostIP))
    return frozenset((one.protocol or "TCP", one.hostPort or 0) for one in everywhere)


def _instead(request: Request) -> str:
    """An agent of a DaemonSet is mostly there for the pods of its own node."""
    fix = "remove it and reach the pod through a Service"
    if request.resource != "daemonsets":
        return fix
    return f"{fix}; internalTrafficPolicy Local keeps its clients on their node"


def _violation(
    pod: PodView, port: ContainerPort, field: str, fix: str, *, loopback: bool
) -> Violation:
    number = f"{port.protocol or 'TCP'} port {port.hostPort}"
    # An opening of the node, whichever container stands behind it. On loopback it is part of the
    # same opening on any other address, so that narrowing it down adds nothing.
    opening = f"{pod.key}: {number}"
    if loopback:
        scope = f"the node's loopback address {port.hostIP}: less exposed, but open to the node"
        keys: tuple[str, ...] = (opening,)
    elif _is_any(port.hostIP):
        scope, keys = "every address of the node", (opening, f"{opening} on any")
    else:
        scope = f"the node's address {port.hostIP}"
        keys = (opening, f"{opening} on {port.hostIP}")
    return Violation(field, f"must not be set: opens {number} on {scope}", fix, keys)


def _address(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def _is_any(text: str | None) -> bool:
    """Whether a hostIP means every address: none, or 0.0.0.0, which the scheduler takes it for."""
    address = _address(text)
    return not text or bool(address and address.is_unspecified)


POLICY = Policy(
    id="host-port",
    title="Pods open no ports on the node",
    why=(
        "A host port makes the pod reachable on the node's own addresses, past Services, "
        "LoadBalancers and their source ranges. With the usual CNI plugins the node forwards it "
        "by destination NAT, so that a NetworkPolicy may see the node instead of the client. It "
        "also takes the port of the whole node: two such pods never share one. A hostIP on "
        "loopback lowers the risk and does not remove it: every process of the node and every pod "
        "with hostNetwork can still connect."
    ),
    fix=(
        "Remove hostPort and expose the pod through a Service; with internalTrafficPolicy: Local "
        "on it, clients reach the agent of a DaemonSet on their own node. Where a node port is the "
        "point, as for an ingress controller without a load balancer, an administrator can allow "
        "the port (allowedPorts) or exempt the workload."
    ),
    rules=WORKLOADS,
    standard=Action.DENY,
    strict=Action.DENY,
    params=Params,
    compares=True,
    validate=validate,
)
