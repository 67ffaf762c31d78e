"""Why a load balancer is public, and what source ranges leave of that.

Finds out nothing about who makes it: that comes with the fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from policies.objects import ServiceSpec
from policies.services.balancers import VOIDS, Controller, Marker
from policies.services.exposure import Kind, Opening
from policies.services.source_ranges import UNCLEAR, everything, families, gap, left_open


class Fault(NamedTuple):
    """Why a load balancer is public: the field that decides, what must hold, what to do next.

    controller: who makes it, None where that is not known.
    opens: who gets in, in the words of source_ranges.left_open, to be compared with who did before.
    marker: the annotation that alone would make it internal, where who makes it is known.
    """

    field: str
    must: str
    fix: str
    controller: Controller | None = None
    opens: frozenset[str] = frozenset()
    marker: Marker | None = None


def behind_source_ranges(
    public: Fault, spec: ServiceSpec, annotations: Mapping[str, str], found: Sequence[Opening]
) -> Fault | None:
    """What remains of a fault once the source ranges that count are taken into account."""
    controller = public.controller
    keys = controller.rangeAnnotations if controller else ()
    fields = {f"metadata.annotations[{key}]" for key in keys}
    ranges = [
        one
        for one in found
        if one.kind is Kind.SOURCE_RANGE and (one.field.startswith("spec.") or one.field in fields)
    ]
    public = public._replace(opens=public.opens or everything(spec))
    if not ranges:
        return _beside_unread_ranges(public, spec, found)
    if controller and not controller.sourceRanges:
        unheeded = f"{public.must}; {controller.title} is not known to enforce source ranges"
        return public._replace(must=unheeded)
    for key in controller.voids if controller else VOIDS:
        if key in annotations:
            must = "must not be set: it lets others in than the source ranges"
            field, fix = f"metadata.annotations[{key}]", f"remove it, or {public.fix}"
            return Fault(field, must, fix, opens=frozenset({UNCLEAR}))
    values = [one.value for one in ranges]
    wide = gap(values, families(spec))
    if wide is None:
        return None
    field = ranges[wide.at or 0].field
    if wide.at is None and field.startswith("spec."):
        field = "spec.loadBalancerSourceRanges"
    fix = f"list the networks of the clients, or {public.fix}"
    return Fault(field, wide.why, fix, opens=left_open(values, spec))


def _beside_unread_ranges(public: Fault, spec: ServiceSpec, found: Sequence[Opening]) -> Fault:
    """The fault in better words where ranges in an annotation would count in the field."""
    unread = [one for one in found if one.kind is Kind.SOURCE_RANGE]
    maker = public.controller
    if not unread or (maker and not maker.sourceRanges):
        return public
    if gap([one.value for one in unread], families(spec)):
        return public
    why = f"{maker.title} does not read" if maker else "not every provider reads"
    must = f"must not hold the source ranges: {why} them there"
    fix = f"list them in spec.loadBalancerSourceRanges, or {public.fix}"
    return public._replace(field=unread[0].field, must=must, fix=fix)
