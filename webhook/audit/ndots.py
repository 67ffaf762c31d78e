"""What the gate does to the resolver of pods by itself, as remedies for the manifest they are in.

The gate changes Pods when they are created, and templates never; a template that says the same
makes the same pods. Asks the gate about each pod, and knows nothing of what the policy decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from policies.model import Remedy, Request
from policies.resources import Resource
from policies.workloads import PodView
from webhook.admission.gate import Gate, Review
from webhook.admission.lanes import UNREADABLE

_CONFIG = ["", "spec", "dnsConfig"]
"""Where the policy `ndots` adds something, as the tokens of a JSON pointer."""
Way = tuple[str | int, ...]


def remedies(
    gate: Gate, request: Request, resource: Resource, obj: dict[str, Any], now: float
) -> Iterator[Remedy]:
    """For each pod or template of an object that the gate judges; none of one it cannot read."""
    try:
        subjects = resource.subjects(resource.decode(msgspec.json.encode(obj)))
    except UNREADABLE:
        return
    for pod in subjects:
        if isinstance(pod, PodView):
            yield from _remedies(gate, request, obj, pod, now)


def _remedies(
    gate: Gate, request: Request, obj: dict[str, Any], pod: PodView, now: float
) -> Iterator[Remedy]:
    way, there = _found(obj, pod.way)
    asked = replace(request, group="", resource="pods", kind="Pod")
    body = {"metadata": there.get("metadata") or {}, "spec": there["spec"]}
    patch = gate.mutate(Review(asked, msgspec.json.encode(body), now=now)).patch
    for operation in patch:
        steps = operation["path"].split("/")
        if steps[: len(_CONFIG)] == _CONFIG:
            option = _option(operation["value"])
            yield Remedy((*way, "spec", "dnsConfig", "options", 0), option, insert=True)


def _found(obj: Any, way: tuple[str, ...]) -> tuple[Way, Any]:
    """The pod or template, and the way to it with the positions in lists as numbers."""
    steps: list[str | int] = []
    for name in way:
        steps.append(int(name) if isinstance(obj, list) else name)
        obj = obj[steps[-1]]
    return tuple(steps), obj


def _option(value: Any) -> dict[str, int | str]:
    """The one option, however much around it the patch adds as well."""
    while "name" not in value:
        value = value["options"] if isinstance(value, dict) else value[0]
    return dict(value)
