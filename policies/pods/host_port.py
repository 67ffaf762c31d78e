"""host-port: a host port is an opening on the node that no Service and few policies know of.

Field: hostPort of every port of init (sidecars are among them) and main containers. Allowed:
absent, 0, a port of the parameter allowedPorts. Not judged on pods with hostNetwork: there the
API server itself fills in hostPort (on Pods, since 1.28 no longer in templates), and host-network
reports the pod. Warned of only, on UPDATE: a port that the same pod, with hostNetwork until now,
declared and had open already.
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
    were_open = _open_with_host_network(request.old, pod)
    for index, container in enumerate(pod.containers):
        for position, port in enumerate(container.ports or ()):
            if port.hostPort and port.hostPort not in params.allowedPorts:
                loopback = _is_loopback(port.hostIP)
                if not (loopback and params.allowLoopback):
                    field = f"{pod.field_of(index)}.ports[{position}].hostPort"
                    found = _violation(pod, port, field, _instead(request), loopback=loopback)
                    was_open = (port.protocol or "TCP", port.hostPort) in were_open
                    yield msgspec.structs.replace(found, at_most=Action.WARN) if was_open else found


def _open_with_host_network(old: object, pod: PodView) -> frozenset[tuple[str, int]]:
    """Protocol and number of the ports that the pod as it was had open without any hostPort.

    With hostNetwork a containerPort is a port of the node, on every address, and hostPort can
    only repeat it. The old subject is that of the first pod of its object, hence the key.
    """
    if not isinstance(old, PodView) or old.key != pod.key or not old.spec.hostNetwork:
        return frozenset()
    ports = (port for container in old.containers for port in container.ports or ())
    return frozenset(
        (one.protocol or "TCP", one.hostPort or one.containerPort or 0) for one in ports
    )


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
    if loopback:
        scope = f"the node's loopback address {port.hostIP}: less exposed, but open to the node"
    else:
        scope = f"the node's address {port.hostIP}" if port.hostIP else "every address of the node"
    # An opening of the node, whichever container stands behind it. On loopback it is part of the
    # same opening on any other address, so that narrowing it down adds nothing.
    opening = f"{pod.key}: {number}"
    return Violation(
        field,
        f"must not be set: opens {number} on {scope}",
        fix,
        keys=(opening,) if loopback else (opening, f"{opening} on {port.hostIP or 'any'}"),
    )


def _is_loopback(address: str | None) -> bool:
    if not address:
        return False
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


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
