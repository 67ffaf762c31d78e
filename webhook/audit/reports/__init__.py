"""How a report is written: one module per format, each with ``write(report, out)``.

The format has the name of its module. A new one needs no entry anywhere.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TextIO

from webhook.audit.findings import Report

Writer = Callable[[Report, TextIO], None]


def _formats() -> Mapping[str, Writer]:
    modules = (
        import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    return {
        module.__name__.rpartition(".")[2]: module.write
        for module in modules
        if hasattr(module, "write")
    }


FORMATS = _formats()
"""By the name that ``--output`` takes; table is the default."""
