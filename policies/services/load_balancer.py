"""load-balancer: a load balancer is reachable from inside only, or from narrow source ranges.

Fields: spec.type, spec.loadBalancerClass, spec.loadBalancerSourceRanges and the annotations of the
cloud provider; these in requests to services/status as well, where they change and no controller
of load balancers writes them. Allowed: what reach.py finds internal, and classes of the parameter
allowedClasses. The semantics of each provider are in policies/knowledge/load_balancers.toml.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.model import UPDATE, Action, Policy, Remedy, Request, Rule, Violation
from policies.objects import Service, ServicePort
from policies.services import reach
from policies.services.advice import PRIVATE, private
from policies.services.balancers import PROVIDERS, STATUS_WRITERS, is_load_balanced
from policies.services.exposure import Kind, Opening, openings
from policies.services.fault import Fault
from policies.services.lengths import too_long
from policies.services.ports import describe, is_sensitive, known_behind
from policies.services.requesters import is_one_of


class Params(reach.Declared, frozen=True, forbid_unknown_fields=True):
    """Which load balancers are internal, and which may be public.

    allowedClasses: spec.loadBalancerClass values whose load balancers may be public, except for
        ports of datastores and administration.
    provider: who makes load balancers without a class, where the nodes do not say: aws, gce,
        azure, openstack, metallb ... Only this provider's own classes are then known.
    internalClasses: spec.loadBalancerClass values whose load balancers are internal, in addition
        to the known ones.
    internalAnnotations: for a provider that has no annotation for internal load balancers:
        annotations with the values that mean internal, as in
        {metallb.io/address-pool: [internal]}.
    """

    allowedClasses: frozenset[str] = frozenset()


def validate(service: Service, request: Request, params: Params) -> Iterator[Violation]:
    spec = service.spec
    if spec is None:
        return
    annotations = _annotations(service)
    if not is_load_balanced(spec, annotations):
        return
    if long := too_long("spec.ports", len(spec.ports or ())):
        yield long
        return
    found = openings(service)
    old = request.old if isinstance(request.old, Service) else None
    trusted = is_one_of(request.user, STATUS_WRITERS)
    if request.subresource and (trusted or (old and annotations == _annotations(old))):
        return
    fault = reach.fault(
        spec, annotations, found, request.cluster, params, old=old, by_controller=trusted
    )
    if fault is None:
        return
    may_be_public = spec.loadBalancerClass in params.allowedClasses
    for opening in found:
        if opening.kind is Kind.LOAD_BALANCER:
            if not may_be_public:
                yield _violation(opening, fault)
            elif is_sensitive(opening.port):
                yield _sensitive(opening, fault)


def _violation(opening: Opening, fault: Fault) -> Violation:
    """The fault is that of the Service; to stay inside each port has a way of its own."""
    return Violation(
        fault.field,
        f"{fault.must} ({describe(opening.port)} would be reachable from outside)",
        fault.fix.replace(PRIVATE, private(opening.port)),
        keys=(*_keys(opening.port), *sorted(fault.opens)),
        remedy=_remedy(fault),
    )


def _sensitive(opening: Opening, fault: Fault) -> Violation:
    """Of a class that may be public the port is the fault, and no other class is asked for."""
    return Violation(
        opening.field,
        f"must not be a datastore's or administration's on a class that may be public "
        f"({describe(opening.port)} would be reachable from outside)",
        "take it out, and reach it through a Service of type ClusterIP",
        keys=(*_keys(opening.port), *sorted(fault.opens)),
    )


def _remedy(fault: Fault) -> Remedy | None:
    """The annotation of a known provider; without one, an annotation would be a guess."""
    if fault.marker is None:
        return None
    return Remedy(("metadata", "annotations", fault.marker.key), fault.marker.write)


def _annotations(service: Service) -> Mapping[str, str]:
    return (service.metadata and service.metadata.annotations) or {}


def _keys(port: ServicePort | None) -> tuple[str, ...]:
    """What is new on a load balancer that was public before: each port, and each known datastore.

    With what the fault opens (`Fault.opens`) a change that lets in more clients is new as well.
    """
    if port is None:
        return ("every port",)
    name, known = f"{port.port}/{port.protocol or 'TCP'}", known_behind(port)
    return (name, f"{name} to {known}") if known else (name,)


def _markers() -> str:
    """How each provider is told to make an internal load balancer."""
    return "; ".join(
        f"{controller.title} {controller.markers[0].example}"
        for provider in PROVIDERS.values()
        for controller in provider.controllers
        if controller.markers
    )


POLICY = Policy(
    id="load-balancer",
    title="Load balancers are reachable from inside only",
    why=(
        "A LoadBalancer of most clouds gets a public address unless an annotation or a class says "
        "otherwise, and each cloud has its own annotation with its own accepted values: that of "
        "another cloud, or a value that is nearly right, opens the Service to the internet without "
        "an error. Datastores and administration ports are found there within minutes. Source "
        "ranges count only where the provider enforces them, for every IP family of the Service, "
        "and not when they add up to the world."
    ),
    fix=(
        "Publish HTTP through an Ingress or a Gateway, or mark the load balancer as internal by "
        "the annotation of whoever makes it, or list the networks of its clients in "
        "spec.loadBalancerSourceRanges. An administrator can name the provider (provider), declare "
        "internal load balancers (internalClasses, internalAnnotations) and let classes be public "
        f"(allowedClasses). The annotations: {_markers()}."
    ),
    rules=(Rule("", "services"), Rule("", "services/status", frozenset({UPDATE}))),
    standard=Action.DENY,
    strict=Action.DENY,
    params=Params,
    compares=True,
    validate=validate,
)
