"""external-ips: nodes take in traffic for an external IP, whoever the address belongs to.

Fields: spec.externalIPs, and the annotations that give a load balancer of some clouds an address of
the author's choice. Allowed: addresses inside the parameter allowedCIDRs. In requests to
services/status the annotations are judged as well, and so is status.loadBalancer.ingress; there the
users and groups of the parameter statusControllers may write both.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policies.model import UPDATE, Action, Policy, Request, Rule, Violation
from policies.objects import Service, ServiceSpec
from policies.services.addresses import inside, networks, parse_strict
from policies.services.balancers import LOAD_BALANCER, STATUS_WRITERS
from policies.services.exposure import Kind, Opening, external_ips, openings
from policies.services.lengths import too_long
from policies.services.ports import keys_of
from policies.services.requesters import is_one_of

STATUS = "status"


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which addresses a Service may claim.

    allowedCIDRs: networks, IPv4 and IPv6, that external IPs may be in. List only networks of the
        cluster's owner, because the nodes take over traffic for these addresses.
    statusControllers: users and groups that write status.loadBalancer; the default names the
        controllers of Kubernetes, of clouds and of what runs in clusters: MetalLB, Cilium ...
    """

    allowedCIDRs: tuple[str, ...] = ()
    statusControllers: frozenset[str] = STATUS_WRITERS

    def __post_init__(self) -> None:
        networks(self.allowedCIDRs)


def validate(service: Service, request: Request, params: Params) -> Iterator[Violation]:
    writes_status = request.subresource == STATUS
    if writes_status and is_one_of(request.user, params.statusControllers):
        return
    if service.spec:
        annotations = (service.metadata and service.metadata.annotations) or {}
        found = external_ips(service.spec, annotations)
        # A request to the status changes annotations as well, and never the spec.
        judged = [one for one in found if not (writes_status and one.field.startswith("spec."))]
        if judged:
            yield from _external_ips(judged, service.spec, params)
    if writes_status:
        yield from _status(service, request)


def _external_ips(found: list[Opening], spec: ServiceSpec, params: Params) -> Iterator[Violation]:
    """The ports identify the first violation as well, because with a port more the nodes take over
    more traffic; one denial is enough to say so.
    """
    if long := too_long("spec.externalIPs", len(found)):
        yield long
        return
    allowed, ports, fix = networks(params.allowedCIDRs), keys_of(spec.ports), _instead(spec)
    fix = f"choose another address, or {fix}" if allowed else fix
    for opening in found:
        address = parse_strict(opening.value)
        if address is None or not inside(address, allowed):
            yield _violation(opening, ports, fix, params)
            ports = ()


def _instead(spec: ServiceSpec) -> str:
    if spec.type == LOAD_BALANCER:
        return "remove it; the load balancer has an address of its own"
    return "remove it; an internal load balancer, or a Gateway, gets an address that is yours"


def _violation(opening: Opening, ports: tuple[str, ...], fix: str, params: Params) -> Violation:
    if params.allowedCIDRs:
        must = f"must be in {', '.join(params.allowedCIDRs)}, not {opening.value}"
    else:
        must = f"must not be set (nodes would take over traffic for {opening.value})"
    address = parse_strict(opening.value)
    return Violation(
        opening.field,
        must,
        fix,
        keys=(f"for {address or opening.value}", *ports),
    )


def _status(service: Service, request: Request) -> Iterator[Violation]:
    for opening in openings(service):
        if opening.kind is Kind.LOAD_BALANCER_ADDRESS and opening.field.startswith("status."):
            yield Violation(
                opening.field,
                f"must not be set by {request.user.username or 'an unknown user'} "
                f"(nodes would take over traffic for {opening.value})",
                "leave it to the load balancer controller; "
                "an administrator can add one to statusControllers",
                keys=(f"status {opening.value}",),
            )


POLICY = Policy(
    id="external-ips",
    title="Services claim only addresses that are theirs",
    why=(
        "kube-proxy makes every node answer for the addresses in spec.externalIPs, and nobody "
        "checks whom they belong to: whoever may create a Service can take over traffic of the "
        "cluster to any address, a DNS server or a payment provider (CVE-2020-8554). The same is "
        "done by writing status.loadBalancer.ingress. Kubernetes deprecated externalIPs in "
        "1.36."
    ),
    fix=(
        "Remove externalIPs and use an internal load balancer or a Gateway. Where the addresses "
        "belong to the cluster's owner, an administrator lists them (allowedCIDRs). Only "
        "controllers of load balancers write status.loadBalancer; one that Netreeve does not know "
        "is added to statusControllers."
    ),
    rules=(Rule("", "services"), Rule("", "services/status", frozenset({UPDATE}))),
    standard=Action.DENY,
    strict=Action.DENY,
    params=Params,
    validate=validate,
)
