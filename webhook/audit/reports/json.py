"""The report as one JSON document: docs/cli.md describes its fields, which are only added to."""

from __future__ import annotations

from typing import TextIO

import msgspec

from webhook.audit.findings import Report


def write(report: Report, out: TextIO) -> None:
    """Indented, in the order of the input, with a final newline."""
    content = {
        "apiVersion": "netreeve.io/v1alpha1",
        "kind": "CheckReport",
        "summary": report.summary,
        "objects": report.results,
        "unreadable": report.unreadable,
    }
    out.write(msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n")
