"""The report for people: what is wrong, worst first, then a line for each check that is fine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from webhook.audit.reports.terminal import grid, show
from webhook.audit.reports.words import plural, printable
from webhook.doctor.finding import Finding, Severity
from webhook.doctor.report import Report

COLUMNS = 100
MOST_DETAILS = 5
_STYLES = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
    Severity.OK: "green",
}


def write(report: Report, out: TextIO) -> None:
    """As wide as the terminal, or 100 columns."""
    show(_blocks(report), out, pipe=COLUMNS)


def _blocks(report: Report) -> Iterator[RenderableType]:
    for _, finding in report.findings:
        yield from _finding(finding)
    yield from _rest(report)
    for one in report.unread:
        yield Text(printable(f"could not be read: {one.message}"), style="bold red")
    yield ""
    yield Text(summary(report), style="bold")


def _finding(finding: Finding) -> Iterator[RenderableType]:
    severity = finding.kind.severity
    yield Text.assemble(
        (f"{severity.value:8}", _STYLES[severity]),
        (finding.kind.id, "bold"),
        f"  {printable(finding.object)}",
    )
    lines = grid(2)
    lines.add_row("", Text(printable(finding.message)))
    if severity is not Severity.INFO:
        for one in finding.details[:MOST_DETAILS]:
            lines.add_row("", Text(f"- {printable(one)}", style="dim"))
        if (more := len(finding.details) - MOST_DETAILS) > 0:
            lines.add_row("", Text(f"- and {more} more (-o json has them all)", style="dim"))
        lines.add_row("why", Text(finding.kind.why))
    lines.add_row("fix", Text(printable(finding.remedy)))
    yield Padding(lines, (0, 0, 1, 8))


def _rest(report: Report) -> Iterator[RenderableType]:
    table = grid(3)
    for one in report.outcomes:
        if one.skipped:
            table.add_row(Text("-", style="dim"), one.check.id, Text(one.skipped, style="dim"))
        elif not one.findings:
            table.add_row(Text("ok", style="green"), one.check.id, Text(one.check.title, "dim"))
    if table.row_count:
        yield table


def summary(report: Report) -> str:
    """``2 errors, 1 warning, 3 notes; 11 checks ok``: those that have such a line above."""
    parts = [
        plural(report.count(Severity.ERROR), "error"),
        plural(report.count(Severity.WARNING), "warning"),
        plural(report.count(Severity.INFO), "note"),
    ]
    fine = sum(not one.skipped and not one.findings for one in report.outcomes)
    text = f"{', '.join(parts)}; {plural(fine, 'check')} ok"
    skipped = sum(bool(one.skipped) for one in report.outcomes)
    return f"{text}, {skipped} not made" if skipped else text
