"""The JSON Schema of ``netreeve exposure -o json``, made from the structs that are written.

``python -m webhook.audit.exposure.jsonschema`` prints it.
"""

from __future__ import annotations

import sys

from webhook.audit.exposure.json import ExposureReport
from webhook.audit.exposure.model import Behind, Isolation, Pair, Unread, Way, Workload
from webhook.audit.jsonschema import document
from webhook.jsontext import indented


def text() -> str:
    """The schema as it stands in docs/exposure.schema.json."""
    structs = (ExposureReport, Way, Behind, Workload, Isolation, Pair, Unread)
    return indented(document(structs))


if __name__ == "__main__":
    sys.stdout.write(text())
