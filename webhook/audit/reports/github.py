"""The report as workflow commands of GitHub Actions: annotations at the lines of a pull request.

Escaping as the runner undoes it (actions/toolkit, packages/core/src/command.ts): what a manifest
says must never become a command of its own.
"""

from __future__ import annotations

from typing import TextIO

from policies.model import Action
from webhook.audit.findings import Found, Report, Result, Unreadable
from webhook.audit.manifests import STDIN
from webhook.audit.reports.words import judged, summary

_LEVELS = {Action.DENY: "error", Action.WARN: "warning", Action.AUDIT: "notice"}


def write(report: Report, out: TextIO) -> None:
    """One annotation for each problem and each new finding, then the summary as plain text."""
    for problem in report.unreadable:
        place = _place(problem, problem.line, None)
        out.write(f"{_command('error', place, 'unreadable', problem.message)}\n")
    for result, found in report.each():
        if not found.preexisting:
            out.write(f"{_annotation(result, found)}\n")
    if text := judged(report):
        out.write(f"netreeve: judged {text}\n")
    out.write(f"netreeve: {summary(report)}\n")


def _annotation(result: Result, found: Found) -> str:
    message = f"{result.title}: {found.field}: {found.message}; {found.fix}"
    place = _place(result, found.line or result.line, found.column)
    level = "notice" if found.is_exempt else _LEVELS[found.action]
    return _command(level, place, found.policy, message)


def _place(one: Result | Unreadable, line: int | None, column: int | None) -> dict[str, object]:
    """Lines of what Helm has rendered are not those of the template, and so left out."""
    if one.input:
        return {"file": one.file}
    file = None if one.file in ("", STDIN) else one.file
    return {"file": file, "line": line or None, "col": column}


def _command(level: str, place: dict[str, object], title: str, message: str) -> str:
    values = {**place, "title": f"netreeve {title}"}
    properties = ",".join(
        f"{key}={_property(str(value))}" for key, value in values.items() if value is not None
    )
    return f"::{level} {properties}::{_data(message)}"


def _data(text: str) -> str:
    """Colours and the like are for a terminal to obey, and so for the log that shows this."""
    text = "".join(char if char.isprintable() or char in "\r\n" else " " for char in text)
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
