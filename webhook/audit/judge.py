"""One object through the gate as if it were created: its request, mutation, then the verdict.

Owns the way of an object that no API server sends. Knows no file format and no report.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from policies.labels import NAME_LABEL
from policies.model import CREATE, Request
from policies.resources import Resource
from webhook.admission.gate import END_OF_TIME, Gate, Review
from webhook.admission.patch import Operation
from webhook.admission.verdict import Verdict, in_order
from webhook.audit.manifests import text_at


class Outcome(NamedTuple):
    """The verdict on an object as the mutating policies would leave it, and their patch."""

    verdict: Verdict
    patch: tuple[Operation, ...] = ()


def creation(resource: Resource, obj: dict[str, Any], default_namespace: str) -> Request:
    """The request that creates ``obj``; its namespace is the default where it names none.

    It is early: everything in a manifest was chosen, nothing filled in by the API server.
    """
    name, namespace = (
        text_at(obj, "metadata", "name"),
        text_at(obj, "metadata", "namespace") or default_namespace,
    )
    if not resource.namespaced:
        namespace = name if resource.resource == "namespaces" else ""
    return Request(
        operation=CREATE,
        group=resource.group,
        resource=resource.resource,
        kind=resource.kind,
        namespace=namespace,
        name=name,
        early=True,
    )


def judge(gate: Gate, request: Request, obj: dict[str, Any], now: float = END_OF_TIME) -> Outcome:
    """Asks the gate twice, as the API server does: for a patch, then about the patched object.

    now: Unix time, for exemptions that end.

    What the first pass denies the API server would not ask about again; here the rest is wanted
    too, so that everything can be corrected at once.
    """
    after, first = admitted(gate, request, obj, now)
    second = gate.validate(Review(request, msgspec.json.encode(after), now=now))
    findings = in_order((*first.findings, *second.findings))
    return Outcome(Verdict(findings, (), first.errors + second.errors), first.patch)


def admitted(
    gate: Gate, request: Request, obj: dict[str, Any], now: float = END_OF_TIME
) -> tuple[dict[str, Any], Verdict]:
    """The object as the mutating policies leave it, and what that pass said."""
    obj = defaulted(obj, request)
    verdict = gate.mutate(Review(request, msgspec.json.encode(obj), now=now))
    return apply(obj, verdict.patch), verdict


def namespace_labels(namespace: dict[str, Any]) -> dict[str, str]:
    """The labels of a Namespace with the one that the API server adds before any webhook."""
    metadata = namespace.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    own = labels if isinstance(labels, dict) else {}
    return {**own, NAME_LABEL: text_at(namespace, "metadata", "name")}


def defaulted(obj: dict[str, Any], request: Request) -> dict[str, Any]:
    """The object with the one default that can change a verdict: overrides select by labels."""
    if request.resource != "namespaces" or not request.name:
        return obj
    if not isinstance(obj["metadata"].get("labels", {}), dict):
        return obj  # malformed, and the gate will say so
    return {**obj, "metadata": {**obj["metadata"], "labels": namespace_labels(obj)}}


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
