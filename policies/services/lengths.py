"""Lists that are too long to be judged: one violation for the whole list, before any element.

Elements without a violation cost time as well, and meanwhile no other request is answered. What
people and controllers write stays far below these limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from policies.model import NEVER_OLD, Violation

T = TypeVar("T")

MOST_ENTRIES = 1000
"""Of ports, external IPs, source ranges and load balancer addresses of one Service."""

MOST_ADDRESSES = 5000
"""Of one Endpoints or EndpointSlice: the controllers write at most 1000 into either."""


def first(entries: Sequence[T]) -> Sequence[T]:
    """As many entries of a list as show that it is too long; nobody has to look at more."""
    return entries if len(entries) <= MOST_ENTRIES else entries[: MOST_ENTRIES + 1]


def first_parts(text: str) -> Sequence[str]:
    """The same of a list in one text, with commas between its entries."""
    return first(text.split(",", MOST_ENTRIES + 1))


def too_long(field: str, count: int, most: int = MOST_ENTRIES) -> Violation | None:
    """The violation of a list with more than ``most`` entries, whatever is in it."""
    if count <= most:
        return None
    fix = "split it into several objects"
    return Violation(field, f"must not hold more than {most} entries", fix, NEVER_OLD)
