"""A small policy of the tests' own and a gate around it: the engine is judged, not the rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from policies.model import UPDATE, Action, NoParams, Policy, Request, Right, Rule, User, Violation
from policies.objects import Service
from policies.selectors import LabelSelector
from webhook.admission.cluster import Cluster
from webhook.admission.gate import Gate, Review
from webhook.admission.ruleset import Ruleset, Setting, Step


class PortParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    allowed: tuple[int, ...] = ()
    at_most: Action | None = None
    unless: Right | None = None


def node_ports(service: Service, request: Request, params: PortParams) -> Iterator[Violation]:
    """Every node port that is not allowed; 666 makes the policy raise."""
    ports = (service.spec and service.spec.ports) or ()
    for index, port in enumerate(ports):
        if port.nodePort == 666:
            raise ZeroDivisionError
        if request.early and port.nodePort == 30999:
            continue  # stands for what the API server would allocate
        if port.nodePort and port.nodePort not in params.allowed:
            yield Violation(
                f"spec.ports[{index}].nodePort",
                "must not be set",
                "remove it",
                keys=(str(port.nodePort),),
                at_most=params.at_most,
                unless=params.unless,
            )


def add_label(service: Service, request: Request, params: NoParams) -> None:
    assert service.metadata is not None
    service.metadata.labels = {"a/b~c": "1", **(service.metadata.labels or {})}


def only_changes(service: Service, request: Request, params: NoParams) -> Iterator[Violation]:
    """A type that is not what it was."""
    was = request.old and request.old.spec and request.old.spec.type
    if service.spec and service.spec.type != was:
        yield Violation("spec.type", f"must stay {was}", "change it back")


SERVICES = (Rule("", "services"),)
PORTS = Policy(
    id="ports",
    title="No node ports",
    why="They open every node.",
    fix="Remove them.",
    rules=SERVICES,
    standard=Action.DENY,
    strict=Action.DENY,
    params=PortParams,
    early=True,
    validate=node_ports,
)
CHANGES = Policy(
    id="changes",
    title="The type stays",
    why="For the test.",
    fix="None.",
    rules=SERVICES,
    standard=Action.DENY,
    strict=Action.DENY,
    params=NoParams,
    compares=True,
    validate=only_changes,
)
LABEL = Policy(
    id="label",
    title="A label",
    why="For the test.",
    fix="None.",
    rules=SERVICES,
    standard=Action.MUTATE,
    strict=Action.MUTATE,
    params=NoParams,
    mutate=add_label,
)


def step(
    action: Action = Action.DENY,
    params: PortParams | None = None,
    overrides: dict[str, tuple[Action, PortParams]] | None = None,
) -> Step:
    """PORTS with a setting; overrides by the value of the namespace label ``env``."""
    return Step(
        PORTS,
        Setting(action, params or PortParams()),
        tuple(
            (LabelSelector(matchLabels={"env": env}), Setting(*setting))
            for env, setting in (overrides or {}).items()
        ),
    )


def gate(*steps: Step, excluded: frozenset[str] = frozenset(), cluster: Any = None) -> Gate:
    known: Cluster | None = cluster
    return Gate(Ruleset(steps, excluded_namespaces=excluded), known)


def service(*node_ports: int, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop", "namespace": "dev", **metadata},
        "spec": {"ports": [{"port": 80, "nodePort": number} for number in node_ports]},
    }


def review(obj: Any, old: Any = None, **request: Any) -> Review:
    fields = {
        "operation": UPDATE if old is not None else "CREATE",
        "group": "",
        "resource": "services",
        "kind": "Service",
        "namespace": "dev",
        "name": "shop",
        "user": User("jane"),
    }
    return Review(Request(**{**fields, **request}), _json(obj), _json(old))


def _json(obj: Any) -> bytes | None:
    return None if obj is None else json.dumps(obj).encode()
