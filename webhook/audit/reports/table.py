"""The report for people: one block for each object that has findings, then the count.

Colour and wrapping only on a terminal; in a pipe each finding is one line, for grep.
"""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from policies.model import Action
from webhook.audit.findings import Found, Report, Result, Unreadable
from webhook.audit.reports.words import printable, summary

_STYLES = {Action.DENY: "bold red", Action.WARN: "yellow", Action.AUDIT: "cyan"}
_UNLIMITED = 100_000
"""Columns of a pipe: nothing wraps."""


def console(out: TextIO) -> Console:
    """A console that colours and wraps on a terminal only; nothing in a text is markup."""
    width = None if out.isatty() else _UNLIMITED
    return Console(file=out, width=width, markup=False, highlight=False, emoji=False)


def write(report: Report, out: TextIO) -> None:
    """Everything that was found, in the order of the input; clean objects are only counted."""
    screen = console(out)
    with screen.capture() as captured:
        _print(report, screen)
    # A table fills its columns with spaces, which no pipe needs.
    out.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _print(report: Report, screen: Console) -> None:
    for problem in report.unreadable:
        screen.print(_problem(problem))
    if report.unreadable:
        screen.print()
    for result in report.results:
        if result.findings:
            screen.print(_heading(result))
            screen.print(_findings(result.findings))
            screen.print()
    screen.print(Text(summary(report), style="bold red" if report.exit_code else "bold"))


def _heading(result: Result) -> Text:
    place = f"  {printable(result.file)}:{result.line}"
    return Text.assemble((printable(result.title), "bold"), (place, "dim"))


def _findings(findings: tuple[Found, ...]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for found in findings:
        grid.add_row(
            Text(f"  {found.action.value}", style=_STYLES[found.action]),
            found.policy,
            Text(printable(f"{found.field}: {found.message}; {found.fix}")),
        )
    return grid


def _problem(problem: Unreadable) -> Text:
    line = f":{problem.line}" if problem.line else ""
    text = f"cannot read {printable(problem.file)}{line}: {printable(problem.message)}"
    return Text(text, style="bold red")
