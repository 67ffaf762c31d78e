"""The report as workflow commands of GitHub Actions: annotations at the lines of a pull request.

Escaping as the runner undoes it (actions/toolkit, packages/core/src/command.ts): what a manifest
says must never become a command of its own.
"""

from __future__ import annotations

from typing import TextIO

from policies.model import Action
from webhook.audit.findings import Found, Report, Result
from webhook.audit.manifests import STDIN
from webhook.audit.reports.words import summary

_LEVELS = {Action.DENY: "error", Action.WARN: "warning", Action.AUDIT: "notice"}


def write(report: Report, out: TextIO) -> None:
    """One annotation for each finding and each problem, then the summary as plain text."""
    for problem in report.unreadable:
        command = _command("error", problem.file, problem.line, "unreadable", problem.message)
        out.write(f"{command}\n")
    for result in report.results:
        for found in result.findings:
            out.write(f"{_annotation(result, found)}\n")
    out.write(f"netreeve: {summary(report)}\n")


def _annotation(result: Result, found: Found) -> str:
    message = f"{result.title}: {found.field}: {found.message}; {found.fix}"
    line = found.line or result.line
    return _command(_LEVELS[found.action], result.file, line, found.policy, message)


def _command(level: str, file: str, line: int | None, title: str, message: str) -> str:
    place = {"file": None if file == STDIN else file, "line": line, "title": f"netreeve {title}"}
    properties = ",".join(
        f"{key}={_property(str(value))}" for key, value in place.items() if value is not None
    )
    return f"::{level} {properties}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
