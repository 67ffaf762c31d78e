"""Whether the load balancer of a Service can be reached from outside, and what to do about it.

Three questions, in this order:

1. Who makes it (`_makers`)? The class tells, or the declared provider, or the nodes; nodes of an
   unknown provider, or without any, decide only where no other node tells a known one. Where no
   node is known, offline or in a cluster whose RBAC keeps them from us, everyone may have made it
   whose annotations the Service carries.
2. Does that controller make it public (`_judge`)? Only its own annotations count. An unknown class
   or provider makes public ones. An update that leaves out what said public may change nothing
   (`_kept`).
3. Do source ranges keep the world away (`fault.behind_source_ranges`)? Only where this controller
   enforces them.

Every answer that lets the world in is a `Fault`; None at the end means that it stays outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from policies.model import ClusterFacts
from policies.objects import Service, ServiceSpec
from policies.services.advice import EXPLAIN, PRIVATE, for_anyone, set_marker, siblings, take
from policies.services.advice import make_internal as advise
from policies.services.balancers import (
    LOAD_BALANCER,
    PROVIDERS,
    WRITTEN,
    Said,
    anywhere,
    detect,
    is_load_balanced,
    of_class,
    said_internal,
    says,
)
from policies.services.exposure import Opening, openings
from policies.services.fault import Fault, behind_source_ranges
from policies.services.source_ranges import UNCLEAR


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an administrator says about load balancers: parameters of the policy load-balancer."""

    provider: str | None = None
    internalClasses: frozenset[str] = frozenset()
    internalAnnotations: dict[str, tuple[str, ...]] = {}

    def __post_init__(self) -> None:
        if self.provider is not None and self.provider not in PROVIDERS:
            known = ", ".join(sorted(PROVIDERS))
            raise ValueError(f"provider: {self.provider!r} is not known; known are {known}")


MOST_NAMED = 3
"""Clouds of the nodes that a text names; a node may say anything."""
_PUBLIC = "must not be a public LoadBalancer"


def fault(
    spec: ServiceSpec,
    annotations: Mapping[str, str],
    found: Sequence[Opening],
    cluster: ClusterFacts,
    declared: Declared,
    *,
    old: Service | None = None,
    by_controller: bool = False,
) -> Fault | None:
    """Why the world can reach the load balancer; None if it cannot.

    found: all openings. old: the Service before an update. by_controller: who makes it asks. Of
    several faults the first is told, with all that they open.
    """
    if spec.loadBalancerClass in declared.internalClasses or any(
        annotations.get(key) in values for key, values in declared.internalAnnotations.items()
    ):
        return None
    existing = not _is_new(found, old)
    if existing:
        annotations = {
            key: value
            for key, value in annotations.items()
            if key not in WRITTEN or (not by_controller and _is_another(key, value, old))
        }
    remaining = [
        left
        for one in _faults(spec, annotations, cluster, declared, old=old, existing=existing)
        if (left := behind_source_ranges(one, spec, annotations, found))
    ]
    if not remaining:
        return None
    opens = frozenset[str]().union(*(one.opens for one in remaining))
    marker = remaining[0].marker if len(remaining) == 1 else None
    return remaining[0]._replace(opens=opens, marker=marker)


def _is_new(found: Sequence[Opening], old: Service | None) -> bool:
    """Whether no controller has had the chance yet to write anything on this load balancer."""
    if any(one.field.startswith("status.") for one in found):
        return False
    return old is None or old.spec is None or not is_load_balanced(old.spec, _annotations(old))


def _is_another(key: str, value: str, old: Service | None) -> bool:
    """Whether an update points at another load balancer than the one that there was.

    The controller writes its annotation as soon as it has made one, before the address: what
    comes later is not its work, unless somebody deleted that load balancer.
    """
    if old is None or (before := _annotations(old).get(key)) == value:
        return False
    return before is not None or any(one.field.startswith("status.") for one in openings(old))


def _annotations(service: Service) -> Mapping[str, str]:
    return (service.metadata and service.metadata.annotations) or {}


class Maker(NamedTuple):
    """One who may make the load balancer, with what it makes of the Service.

    field: what chose this one. certain: False where nobody knows which cloud this is.
    """

    said: Said
    field: str = "spec.type"
    certain: bool = True


def _faults(
    spec: ServiceSpec,
    annotations: Mapping[str, str],
    cluster: ClusterFacts,
    declared: Declared,
    *,
    old: Service | None,
    existing: bool,
) -> Iterator[Fault]:
    """One for every maker of a public one; one as well where nobody knows who makes it."""
    makers, unknown = _makers(spec, annotations, cluster, declared, existing)
    if not makers and unknown:
        yield unknown
    for said, field, certain in makers:
        if found := (existing and _kept(said, old)) or _judge(said, annotations, field, existing):
            yield found if certain else found._replace(controller=None, marker=None)


def _makers(
    spec: ServiceSpec,
    annotations: Mapping[str, str],
    cluster: ClusterFacts,
    declared: Declared,
    existing: bool,
) -> tuple[list[Maker], Fault | None]:
    """Who may make the load balancer, and the fault of nobody being known to."""
    provider = PROVIDERS[declared.provider] if declared.provider else None
    if spec.loadBalancerClass:
        controller = of_class(spec.loadBalancerClass, provider)
        if controller is None:
            return [], _unknown_class(spec.loadBalancerClass, existing)
        return [Maker(says(controller, annotations), "spec.loadBalancerClass")], None
    unknown: Fault | None = None
    if providers := (provider,) if provider else detect(cluster.providers):
        makers = [Maker(says(one.controller(annotations), annotations)) for one in providers]
    elif cluster.providers and spec.type == LOAD_BALANCER:
        return [], _unknown_cloud(annotations, cluster)
    else:
        makers = [Maker(one, certain=False) for one in anywhere(annotations)]
        advice = for_anyone(annotations, existing=existing)
        unknown = Fault("spec.type", _PUBLIC, f"{advice}, or {PRIVATE}")
    if spec.type == LOAD_BALANCER:
        return makers, unknown
    return [one for one in makers if one.said.controller.anyType], None


def _kept(said: Said, old: Service | None) -> Fault | None:
    """The fault of a change that some controllers do not make of an existing load balancer.

    Either of leaving out what said public, or, where `fixed`, of saying internal from now on.
    """
    controller = said.controller
    unmoved = said.internal if controller.fixed else controller.keeps and not said.key
    if not unmoved or old is None:
        return None
    before = says(controller, _annotations(old))
    if before.internal or not before.known:
        return None
    marker = controller.markers[0]
    field, left = f"metadata.annotations[{marker.key}]", f"{controller.title} leaves a public"
    if controller.fixed:
        must = f"must be so from the start: {left} load balancer public"
        return Fault(field, must, advise(controller, existing=True), controller)
    must = f'must be "{marker.write}": {left} load balancer public'
    opens = frozenset({f"kept public by {controller.title}"})
    return Fault(field, must, advise(controller, existing=True), controller, opens)


def _unknown_cloud(annotations: Mapping[str, str], cluster: ClusterFacts) -> Fault:
    fix = f"{PRIVATE}; an administrator can declare internal ones ({EXPLAIN})"
    unread = said_internal(annotations)
    if unread is None:
        return Fault("spec.type", _PUBLIC, fix)
    clouds = sorted(filter(None, cluster.providers))[:MOST_NAMED]
    nodes = f"are of {', '.join(map(repr, clouds))}" if clouds else "tell no cloud"
    must = f"must be one that this cluster's cloud reads: {unread.controller.title} does, and the "
    return Fault(f"metadata.annotations[{unread.key}]", f"{must}nodes {nodes}", fix)


def _unknown_class(name: str, existing: bool) -> Fault:
    must = f"must be a class known to make internal load balancers, not {name!r}"
    fix = f"{take(existing=existing)} another class"
    admin = "let an administrator add this one to internalClasses"
    return Fault("spec.loadBalancerClass", must, f"{fix}, or {admin}")


def _judge(said: Said, annotations: Mapping[str, str], field: str, existing: bool) -> Fault | None:
    """The fault in what a controller says; ``field``: what made it this one."""
    controller, advice = said.controller, advise(said.controller, existing=existing)
    if said.internal:
        return None
    wanted = next(iter(controller.markers), None)
    if said.key:
        field = f"metadata.annotations[{said.key}]"
        marker = next((one for one in controller.markers if one.key == said.key), None)
        if marker is None:
            must = "must not be set: what it points at may be public"
            fix = f"remove it and {advice}"
            return Fault(field, must, fix, controller, frozenset({UNCLEAR}))
        must = f'must be "{marker.write}", not "{annotations[said.key]}"'
        advice, wanted = set_marker(controller, marker, existing=existing), marker
    elif controller.markers or field == "spec.type":
        field, must = "spec.type", _PUBLIC
        if unread := said_internal(annotations):
            field = f"metadata.annotations[{unread.key}]"
            must = f"must be an annotation that {controller.title} reads"
            if unread.controller in siblings(controller) and unread.controller.classes:
                verb = take(existing=existing)
                advice = f"{verb} the class {unread.controller.classes[0]}, or {advice}"
    else:
        must = f"must not be one of {controller.title}"
    return Fault(field, must, f"{advice}, or {PRIVATE}", controller, marker=wanted)
