"""What would happen to an object if it were created: mutation, then the verdict, as the API server
asks for them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from policies.model import CREATE, Request
from policies.resources import Resource
from webhook.admission.gate import Gate, Review
from webhook.admission.patch import Operation
from webhook.admission.verdict import Verdict


class Outcome(NamedTuple):
    """The verdict on an object as the mutating policies would leave it, and their patch."""

    request: Request
    verdict: Verdict
    patch: tuple[Operation, ...]


def creation(resource: Resource, obj: dict[str, Any], default_namespace: str) -> Request:
    """The request that creates ``obj``; its namespace is the default where it names none."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    name = _text(metadata.get("name"))
    namespace = _text(metadata.get("namespace")) or default_namespace
    if not resource.namespaced:
        namespace = name if resource.resource == "namespaces" else ""
    return Request(
        operation=CREATE,
        group=resource.group,
        resource=resource.resource,
        kind=resource.kind,
        namespace=namespace,
        name=name,
    )


def judge(gate: Gate, request: Request, obj: dict[str, Any]) -> Outcome:
    """Asks the gate twice, as the API server does: for a patch, then about the patched object."""
    mutated = gate.mutate(Review(request, msgspec.json.encode(obj)))
    if not mutated.allowed:
        return Outcome(request, mutated, ())
    after = apply(obj, mutated.patch)
    return Outcome(
        request, gate.validate(Review(request, msgspec.json.encode(after))), mutated.patch
    )


def apply(value: Any, patch: tuple[Operation, ...]) -> Any:
    """A copy of ``value`` with the RFC 6902 operations that `webhook.admission.patch` writes."""
    for operation in patch:
        steps = [
            token.replace("~1", "/").replace("~0", "~")
            for token in operation["path"].split("/")[1:]
        ]
        value = _edited(value, steps, operation)
    return value


def _edited(value: Any, steps: list[str], operation: Operation) -> Any:
    if not steps:
        return operation["value"]
    step, *rest = steps
    if isinstance(value, list):
        copy = list(value)
        if step == "-":
            copy.append(operation["value"])
        else:
            copy[int(step)] = _edited(value[int(step)], rest, operation)
        return copy
    changed = dict(value)
    if not rest and operation["op"] == "remove":
        del changed[step]
    else:
        changed[step] = _edited(value.get(step), rest, operation)
    return changed


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
