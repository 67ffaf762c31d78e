"""The report for people: one block for each object that has findings, then the count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from policies.model import Action
from webhook.audit.findings import Found, Report, Result, Unreadable
from webhook.audit.reports.terminal import grid, show
from webhook.audit.reports.words import printable, summary

_STYLES = {Action.DENY: "bold red", Action.WARN: "yellow", Action.AUDIT: "cyan"}


def write(report: Report, out: TextIO) -> None:
    """Everything that was found, in the order of the input; clean objects are only counted."""
    show(_blocks(report), out)


def _blocks(report: Report) -> Iterator[RenderableType]:
    for problem in report.unreadable:
        yield _problem(problem)
    if report.unreadable:
        yield ""
    for result in report.results:
        if result.findings:
            yield _heading(result)
            yield _findings(result.findings)
            yield ""
    yield Text(summary(report), style="bold red" if report.exit_code else "bold")


def _heading(result: Result) -> Text:
    place = f"  {printable(result.file)}:{result.line}"
    return Text.assemble((printable(result.title), "bold"), (place, "dim"))


def _findings(findings: tuple[Found, ...]) -> Table:
    table = grid(3)
    for found in findings:
        table.add_row(
            Text(f"  {found.action.value}", style=_STYLES[found.action]),
            Text(printable(found.policy)),
            Text(printable(f"{found.field}: {found.message}; {found.fix}")),
        )
    return table


def _problem(problem: Unreadable) -> Text:
    line = f":{problem.line}" if problem.line else ""
    text = f"cannot read {printable(problem.file)}{line}: {printable(problem.message)}"
    return Text(text, style="bold red")
