"""What is decided: one file per rule, pure functions on objects, and the tables they read."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any

from policies.model import Policy


@cache
def catalogue() -> tuple[Policy[Any, Any], ...]:
    """Every policy, in id order: the constant POLICY of each module below this package.

    Raises ValueError when two modules claim the same id.
    """
    found: dict[str, Policy[Any, Any]] = {}
    for module in pkgutil.walk_packages(__path__, prefix=f"{__name__}."):
        policy = getattr(import_module(module.name), "POLICY", None)
        if isinstance(policy, Policy):
            if policy.id in found:
                raise ValueError(f"{module.name}: policy id {policy.id!r} is taken")
            found[policy.id] = policy
    return tuple(policy for _, policy in sorted(found.items()))
