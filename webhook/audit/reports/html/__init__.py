"""The report as one HTML file, for a person who would rather look than read.

The file asks for nothing: its script and styles are in it, and a Content-Security-Policy names
their hashes and forbids everything else. What others have written is data in a script element that
no browser runs; the page shows it as text and never as markup.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from functools import cache
from importlib.resources import files
from typing import TextIO

from webhook.audit.findings import Report
from webhook.audit.reports.html.content import content

_HERE = files(__name__)
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""In JSON these stand in texts only. Without them no text can end the element that it is in."""


def write(report: Report, out: TextIO) -> None:
    """The whole page."""
    start, end = page().split("{{data}}")
    out.write(start)
    out.write(json.dumps(content(report), separators=(",", ":")).translate(_ESCAPES))
    out.write(end)


@cache
def page() -> str:
    """The page without its data, the same for every report."""
    style, script = _joined("style", ".css"), _joined("script", ".js")
    text = _HERE.joinpath("page.html").read_text("utf-8")
    parts = {
        "policy": f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
    }
    for name, part in parts.items():
        text = text.replace(f"{{{{{name}}}}}", part)
    return text


def _joined(folder: str, ending: str) -> str:
    """The files of a folder in the order of their names, which begin with a number."""
    found = sorted(
        (one for one in _HERE.joinpath(folder).iterdir() if one.name.endswith(ending)),
        key=lambda one: one.name,
    )
    return "".join(one.read_text("utf-8") for one in found)


def _hash(text: str) -> str:
    """As CSP 3 names an inline script or style."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
