"""NetworkPolicy specs that an administrator writes out, checked and brought into the API's form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from policies.baseline.grants import Json
from policies.network_policies.effective import DEFAULT_PROTOCOL, Direction, types
from policies.network_policies.views import NetworkPolicySpec


def defaulted(spec: Json) -> Json:
    """The spec as the API server gives it back: defaults written out, nothing empty.

    Raises ValueError for what is not shaped like a spec. Values are left to the API server.
    """
    try:
        view = msgspec.convert(spec, NetworkPolicySpec)
    except msgspec.ValidationError as error:
        raise ValueError(f"is no NetworkPolicy spec: {error}") from None
    understood = msgspec.json.decode(msgspec.json.encode(view))
    if _without(_is_default, understood) != _without(_is_default, spec):
        raise ValueError("has a field that a NetworkPolicy spec does not have")
    if set(view.policyTypes or ()) - {one.value for one in Direction}:
        raise ValueError("has policyTypes other than Ingress and Egress")
    written: Json = {"podSelector": {}, **_without(_is_empty, spec)}
    written["policyTypes"] = [one.value for one in Direction if one in types(view)]
    for port in _ports(written):
        port.setdefault("protocol", DEFAULT_PROTOCOL)
    return written


def _ports(spec: Json) -> Iterator[Json]:
    for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
        yield from rule.get("ports", ())


def _is_default(name: str, value: Any) -> bool:
    """What a view does not tell from an absent field."""
    return value is None or (name in ("matchLabels", "matchExpressions", "values") and not value)


def _is_empty(name: str, value: Any) -> bool:
    """What the API server leaves out; an empty selector or rule is not empty in this sense."""
    return _is_default(name, value) or value == []


def _without(drop: Callable[[str, Any], bool], value: Any) -> Any:
    """A copy of plain JSON without the fields that ``drop`` names."""
    if isinstance(value, dict):
        kept = {name: _without(drop, one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if not drop(name, one)}
    return [_without(drop, one) for one in value] if isinstance(value, list) else value
