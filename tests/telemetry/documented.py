"""The metrics that docs/operations.md lists, and those that a scrape has, in the same words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
_ROW = re.compile(r"^\| `(netreeve_\w+)` \| (\w+) \|([^|]*)\| [^|]+ \|$", re.MULTILINE)


class Exported(NamedTuple):
    """type: counter, gauge or histogram. labels: without ``le``."""

    type: str
    labels: frozenset[str]


def documented() -> dict[str, Exported]:
    """By name, as PromQL has it."""
    rows = _ROW.findall(DOCUMENT.read_text())
    found = {
        name: Exported(kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in rows
    }
    assert len(found) == len(rows), "a metric is listed twice"
    return found


def scraped(text: str) -> dict[str, Exported]:
    """The metrics of ours that have a value in a scrape."""
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: Exported(
            family.type, frozenset(family.samples[0].labels) - {"le"}
        )
        for family in text_string_to_metric_families(text)
        if family.name.startswith("netreeve_") and family.samples
    }
