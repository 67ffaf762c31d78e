"""Sets of ports: what rules open, cut with what other rules open, and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TypeAlias

from policies.network_policies.effective import DEFAULT_PROTOCOL, Allow

LAST = 65535
Ports: TypeAlias = frozenset[tuple[str, int, int]] | None
"""Protocol, first and last number; None is every port of every protocol."""
EVERY: Ports = None
NONE: Ports = frozenset()


def opened(rule: Allow, named: Mapping[tuple[str, str], int]) -> Ports:
    """What a rule opens on a pod whose ports have these names, by name and protocol."""
    if not rule.ports:
        return EVERY
    found = set()
    for one in rule.ports:
        protocol = one.protocol or DEFAULT_PROTOCOL
        if one.port is None:
            found.add((protocol, 1, LAST))
        elif isinstance(one.port, int):
            found.add((protocol, one.port, one.endPort or one.port))
        elif number := named.get((one.port, protocol)):
            found.add((protocol, number, number))
    return frozenset(found)


@cache
def common(one: Ports, other: Ports) -> Ports:
    """What is in both."""
    if one is None or other is None:
        return other if one is None else one
    return frozenset(
        (protocol, max(first, start), min(last, end))
        for protocol, first, last in one
        for also, start, end in other
        if protocol == also and max(first, start) <= min(last, end)
    )


def words(sets: Iterable[Ports]) -> tuple[str, ...]:
    """``TCP 80``, ``TCP 8000-8100``, ``UDP any``; only ``any`` where one of them is everything."""
    found: set[tuple[str, int, int]] = set()
    for one in sets:
        if one is None:
            return ("any",)
        found |= one
    return tuple(f"{protocol} {_range(first, last)}" for protocol, first, last in sorted(found))


def _range(first: int, last: int) -> str:
    if (first, last) == (1, LAST):
        return "any"
    return str(first) if first == last else f"{first}-{last}"
