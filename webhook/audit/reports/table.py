"""The report for people: one block for each object that has findings, then the count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TextIO

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from webhook.audit.findings import STATUSES, Diff, Found, Report, Result, Unreadable
from webhook.audit.reports.terminal import grid, show
from webhook.audit.reports.words import (
    changes,
    judged,
    place,
    plural,
    printable,
    sentence,
    severity,
    summary,
)

_ORDER: dict[str, int] = {status: at for at, status in enumerate(STATUSES)}
_STYLES = {"Deny": "bold red", "Warn": "yellow", "Audit": "cyan", "Exempt": "dim"}


def write(report: Report, out: TextIO) -> None:
    """Everything new that was found, in the order of the input; the rest is only counted."""
    show(_blocks(report), out)


def _blocks(report: Report) -> Iterator[RenderableType]:
    for problem in report.unreadable:
        yield _problem(problem)
    if report.unreadable:
        yield ""
    for result in report.results:
        if new := tuple(found for found in result.findings if not found.preexisting):
            yield _heading(result)
            yield _findings(new)
            yield ""
    yield from _askers(report)
    if report.diff:
        yield from _changes(report.diff)
        yield Text(f"since the earlier report: {changes(report)}", style="bold")
    policy = next((one.policy for _, one in report.each() if not one.preexisting), None)
    if policy is not None:
        yield Text(f"more: netreeve explain {printable(policy)}", style="dim")
    if text := judged(report):
        yield Text(f"judged: {text}", style="dim")
    yield Text(summary(report), style="bold red" if report.exit_code else "bold")


def _askers(report: Report) -> Iterator[RenderableType]:
    """Of an audit log: how many writes, by whom and where; the most denied first."""
    counts: Counter[tuple[str, str, str]] = Counter(
        (result.status, result.asked.user, result.namespace)
        for result in report.results
        if result.asked
    )
    if not counts:
        return
    table = grid(4)
    for (status, user, namespace), number in sorted(
        counts.items(), key=lambda one: (_ORDER[one[0][0]], -one[1], one[0])
    ):
        word = "pre-existing" if status == "preexisting" else status
        table.add_row(str(number), word, printable(user), printable(namespace))
    yield table
    yield ""


def _heading(result: Result) -> Text:
    return Text.assemble((printable(result.title), "bold"), (f"  {_place(result)}", "dim"))


def _place(result: Result) -> str:
    """Where the object is, or of a live one what goes with it."""
    if result.asked:
        asked = result.asked
        text = f"{asked.verb} by {asked.user} at {asked.at}, {place(result)}"
        return printable(text + ", not seen before" * asked.uncertain)
    if result.file:
        return place(result)
    return f"and {plural(result.folded, 'object')} made from it" if result.folded else ""


def _findings(findings: tuple[Found, ...]) -> Table:
    table = grid(3)
    for found in findings:
        table.add_row(
            Text(f"  {severity(found)}", style=_STYLES[severity(found)]),
            Text(printable(found.policy)),
            Text(sentence(found)),
        )
    return table


def _changes(diff: Diff) -> Iterator[RenderableType]:
    table = grid(4)
    parts = (
        ("red", "new", diff.new),
        ("green", "fixed", diff.fixed),
        ("yellow", "not seen", diff.notSeen),
    )
    for style, word, part in parts:
        for change in part:
            table.add_row(
                Text(word, style=style),
                Text(printable(change.title)),
                Text(printable(change.finding.policy)),
                Text(printable(change.finding.field)),
            )
    if table.row_count:
        yield table
        yield ""


def _problem(problem: Unreadable) -> Text:
    text = f"cannot read {place(problem)}: {printable(problem.message)}"
    return Text(text, style="bold red")
