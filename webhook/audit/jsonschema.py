"""The JSON Schema of the reports of findings, ``-o json``: ``python -m webhook.audit.jsonschema``.

Made from the structs that are written and read.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from policies.model import Remedy
from webhook.admission.verdict import Exempt
from webhook.audit.findings import Change, Diff, Found, Result, Unreadable
from webhook.audit.judged import Judged
from webhook.audit.reports.json import FindingsReport
from webhook.config.jsonschema import described
from webhook.jsontext import indented


def schema() -> dict[str, Any]:
    """The schema of the whole document."""
    return document(
        (FindingsReport, Judged, Result, Found, Exempt, Remedy, Unreadable, Diff, Change)
    )


def document(structs: Sequence[type[msgspec.Struct]]) -> dict[str, Any]:
    """The schema of the first of the structs, which holds the others."""
    _, components = described(structs)
    top = components.pop(structs[0].__name__)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **top, "$defs": components}


def text() -> str:
    """The schema as it stands in docs/report.schema.json."""
    return indented(schema())


if __name__ == "__main__":
    sys.stdout.write(text())
