"""NetworkPolicy specs that an administrator writes out, checked and brought into the API's form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from policies.baseline.grants import Json
from policies.network_policies.effective import DEFAULT_PROTOCOL, types
from policies.network_policies.views import NetworkPolicySpec


def defaulted(spec: Json) -> Json:
    """The spec as the API server gives it back: defaults written out, nothing empty.

    Raises ValueError for what is not shaped like a spec. Values are left to the API server.
    """
    try:
        view = msgspec.convert(spec, NetworkPolicySpec)
    except msgspec.ValidationError as error:
        raise ValueError(f"is no NetworkPolicy spec: {error}") from None
    written = _without_empty(spec)
    if _without_empty(msgspec.to_builtins(view)) != written:
        raise ValueError("has a field that a NetworkPolicy spec does not have")
    for port in _ports(written):
        port.setdefault("protocol", DEFAULT_PROTOCOL)
    written["policyTypes"] = spec.get("policyTypes") or sorted(
        (one.value for one in types(view)), reverse=True
    )
    return {"podSelector": {}, **written}


def _ports(spec: Json) -> Iterator[Json]:
    for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
        yield from rule.get("ports", ())


def _without_empty(value: Any) -> Any:
    """A copy without nulls, empty lists and empty matchLabels, which the API server leaves out."""
    if isinstance(value, dict):
        kept = {name: _without_empty(one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if not _is_empty(name, one)}
    return [_without_empty(one) for one in value] if isinstance(value, list) else value


def _is_empty(name: str, value: Any) -> bool:
    return value is None or value == [] or (name == "matchLabels" and value == {})
