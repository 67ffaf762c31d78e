"""node-port: a node port opens a Service on every node, past load balancers and their rules.

Fields: spec.type NodePort, spec.ports[*].nodePort of any type, spec.healthCheckNodePort, and
spec.allocateLoadBalancerNodePorts of a LoadBalancer unless false. Allowed: ports of the parameter
allowedPorts, namespaces of allowedNamespaces. What the API server allocates for a load balancer
has an action of its own. In the validating pass nobody can tell such a number from a chosen one;
in the mutating pass only chosen ones are there, which is why this policy judges early as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Literal

import msgspec

from policies.model import UPDATE, Action, Policy, Remedy, Request, Rule, Violation
from policies.objects import Service, ServicePort
from policies.services.advice import private
from policies.services.balancers import LOAD_BALANCER, reaches_pods
from policies.services.exposure import NODE_PORT, Kind, Opening, node_ports
from policies.services.lengths import too_long
from policies.services.ports import describe, known_behind


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which node ports may be open.

    allowedPorts: numbers and ranges such as 30443 and "31000-31099", for every Service.
    allowedNamespaces: names of namespaces whose Services may open any node port.
    allocatedNodePorts: the strongest action for node ports that the API server opens by itself for
        a load balancer, those of health checks included; Off for none.
    """

    allowedPorts: tuple[int | str, ...] = ()
    allowedNamespaces: frozenset[str] = frozenset()
    allocatedNodePorts: Literal["Deny", "Warn", "Audit", "Off"] = "Warn"

    def __post_init__(self) -> None:
        _ranges(self.allowedPorts)


_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})", re.ASCII)


@cache
def _ranges(ports: tuple[int | str, ...]) -> tuple[range, ...]:
    """Raises ValueError that names the first entry that is neither a port nor a range."""
    found = []
    for entry in ports:
        match = _RANGE.fullmatch(entry) if isinstance(entry, str) else None
        first, last = (int(match[1]), int(match[2])) if match else (entry, entry)
        if not isinstance(first, int) or not isinstance(last, int) or not 0 < first <= last < 65536:
            raise ValueError(f'allowedPorts: {entry!r} is no port such as 30443 or "31000-31099"')
        found.append(range(first, last + 1))
    return tuple(found)


def validate(service: Service, request: Request, params: Params) -> Iterator[Violation]:
    spec = service.spec
    if spec is None or request.namespace in params.allowedNamespaces:
        return
    allowed = _ranges(params.allowedPorts)
    kind, ports = spec.type or "ClusterIP", spec.ports or ()
    opens = kind in (NODE_PORT, LOAD_BALANCER) or any(port.nodePort for port in ports)
    if opens and (long := too_long("spec.ports", len(ports))):
        yield long
        return
    for opening in node_ports(spec):
        if (allowed and _is_in(opening.number, allowed)) or _comes_later(opening, request):
            continue
        chosen = not opening.allocated or (request.early and opening.number is not None)
        limit = None if chosen else Action(params.allocatedNodePorts)
        if limit is None or limit.strength:
            field, message, fix = _text(opening, kind, chosen, params)
            # Between types the number is the same; that is for the validating pass to judge.
            keys = _keys(opening, "" if request.early else kind)
            remedy = None if chosen or opening.number else _remedy(service)
            yield Violation(field, message, fix, keys, limit, remedy=remedy)


def _comes_later(opening: Opening, request: Request) -> bool:
    """Whether a number is left out of an update, as in ``kubectl replace``: before the validating
    pass the API server takes it over from the old Service (registry/core/service, patchAllocated).
    """
    return request.early and request.operation == UPDATE and opening.number is None


def _is_in(number: int | None, allowed: tuple[range, ...]) -> bool:
    return number is not None and any(number in ports for ports in allowed)


def _keys(opening: Opening, kind: str) -> tuple[str, ...]:
    """An opening is the same while its number is, whichever Service port is behind it, unless that
    is a datastore's or administration's.

    That of a NodePort Service is another than that of a load balancer, whose ports may be more
    tolerated, so that neither type becomes the other unnoticed.
    """
    if opening.kind is Kind.HEALTH_CHECK_PORT:
        return (f"health check {opening.number}",)
    port = opening.port or ServicePort()
    number = opening.number or f"for port {port.port}"
    name, known = f"{kind} {number}/{port.protocol or 'TCP'}", known_behind(port)
    return (name, f"{name} to {known}") if known else (name,)


def _text(opening: Opening, kind: str, chosen: bool, params: Params) -> tuple[str, str, str]:
    """Field, message and fix."""
    if opening.kind is Kind.HEALTH_CHECK_PORT:
        return _health_check(opening)
    if params.allowedPorts:
        return _of_allowed(opening, params)
    if not chosen:
        return _allocated(opening)
    return _type(opening) if kind == NODE_PORT else _chosen(opening)


def _type(opening: Opening) -> tuple[str, str, str]:
    what = f"must not be NodePort ({describe(opening.port)} would open on every node)"
    return "spec.type", what, private(opening.port)


def _chosen(opening: Opening) -> tuple[str, str, str]:
    what = f"must not be set ({describe(opening.port)} would open on every node)"
    return opening.field, what, "remove it; clients then use the Service or its load balancer"


def _of_allowed(opening: Opening, params: Params) -> tuple[str, str, str]:
    choice = ", ".join(map(str, params.allowedPorts))
    actual = f"not {opening.number}" if opening.number else "not left to the API server"
    return opening.field, f"must be in {choice}, {actual}", f"set a node port from {choice}"


def _remedy(service: Service) -> Remedy | None:
    """Not where the load balancer may need node ports to reach anything."""
    annotations = (service.metadata and service.metadata.annotations) or {}
    if service.spec is None or not reaches_pods(service.spec, annotations):
        return None
    return Remedy(("spec", "allocateLoadBalancerNodePorts"), False)


def _allocated(opening: Opening) -> tuple[str, str, str]:
    what = f"must be false ({describe(opening.port)} opens on every node as well)"
    fix = "set it to false and remove nodePort, if the load balancer reaches pods directly"
    return "spec.allocateLoadBalancerNodePorts", what, fix


def _health_check(opening: Opening) -> tuple[str, str, str]:
    number = f" {opening.number}" if opening.number else ""
    what = f"must not be opened (health check port{number} listens on every node)"
    return opening.field, what, "use externalTrafficPolicy Cluster if client IPs are not needed"


POLICY = Policy(
    id="node-port",
    title="Services open no ports on the nodes",
    why=(
        "A node port listens on every address of every node, also of nodes that run no pod of the "
        "Service. Clients that reach a node get past the load balancer, its source ranges, its "
        "firewall and its TLS, and with externalTrafficPolicy Cluster they arrive at the pod with "
        "the address of a node, which a NetworkPolicy may always let in. A LoadBalancer is a "
        "NodePort too: the API server opens node ports for it unless it is told not to."
    ),
    fix=(
        "Use type ClusterIP and publish the Service through an Ingress or a Gateway. On a "
        "LoadBalancer whose provider reaches pods directly set allocateLoadBalancerNodePorts: "
        "false and remove the nodePort fields: setting it alone frees no port of an existing "
        "Service. Where node ports are the point, an administrator allows ports (allowedPorts) or "
        "namespaces (allowedNamespaces)."
    ),
    rules=(Rule("", "services"),),
    standard=Action.DENY,
    strict=Action.DENY,
    params=Params,
    strict_params={"allocatedNodePorts": "Deny"},
    early=True,
    validate=validate,
)
