"""How a report is written: one module per format, each with `write(report, out)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TextIO

from webhook.audit.findings import Report
from webhook.audit.reports import github, json, table

FORMATS: Mapping[str, Callable[[Report, TextIO], None]] = {
    "table": table.write,
    "json": json.write,
    "github": github.write,
}
"""By the name that ``--output`` takes; table is the default."""
