"""Everything that is checked: one module each, with one constant CHECK; the order is that of names.

Pure functions of what was seen. A check never fails on what it cannot know: it says so.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from webhook.doctor.finding import Check


@cache
def checks() -> tuple[Check, ...]:
    """Every check, found by walking the package: there is no list to edit."""
    modules = (import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__))
    return tuple(module.CHECK for module in modules)
