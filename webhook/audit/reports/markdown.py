"""The report as Markdown, for a comment on a pull request or the summary of a job.

Whatever a manifest says is in code spans: there nothing is a link, a mention, markup or HTML.
Bounded in length, because a comment on GitHub has at most 65,536 characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TextIO

from webhook.audit.findings import Change, Found, Report, Result
from webhook.audit.reports.words import (
    changes,
    judged,
    place,
    plural,
    printable,
    severity,
    summary,
)

LONGEST = 60_000
"""Characters of the whole."""
LONGEST_SPAN = 300
"""Characters of one code span."""
_ENDING = 200
"""Characters that the last line needs at most."""

Place = tuple[Result, Found]

_SIGNS = {"Deny": "🛑 Deny", "Warn": "⚠️ Warn", "Audit": "🔍 Audit", "Exempt": "☑️ Exempt"}
_ORDER = tuple(_SIGNS)


def write(report: Report, out: TextIO) -> None:
    """A headline, the counts, problems, new findings with the strongest first, what is fixed."""
    new = [(result, found) for result, found in report.each() if not found.preexisting]
    new.sort(key=lambda pair: _ORDER.index(severity(pair[1])))
    fixed = report.diff.fixed if report.diff else ()
    left, room = len(report.unreadable) + len(new) + len(fixed), LONGEST - _ENDING
    for line in _lines(report, new, fixed):
        room -= len(line) + 1
        if room < 0:
            out.write(f"\n… and {left} more, which are too many for this summary.\n")
            return
        out.write(f"{line}\n")
        left -= line.startswith("- ")


def _lines(report: Report, new: list[Place], fixed: tuple[Change, ...]) -> Iterator[str]:
    yield f"### Netreeve: {_headline(report)}"
    yield ""
    yield f"{summary(report)}."
    if facts := judged(report):
        yield ""
        yield f"Judged: {span(facts)}"
    if report.diff:
        yield ""
        yield f"Since the earlier report: {changes(report)}."
    problems = (f"- {span(place(one))}: {span(one.message)}" for one in report.unreadable)
    yield from _section("Could not be read", problems)
    yield from _section("Findings", (_finding(result, found) for result, found in new))
    yield from _section("Fixed", map(_fixed, fixed))


def _headline(report: Report) -> str:
    failing = sum(report.fails(found) for _, found in report.each())
    if report.unreadable:
        return f"❌ {plural(len(report.unreadable), 'problem')} reading the input"
    return f"❌ {plural(failing, 'finding')} to correct" if failing else "✅ nothing to correct"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """With a title, if there is anything below it."""
    for at, line in enumerate(lines):
        if at == 0:
            yield from ("", f"#### {title}", "")
        yield line


def _finding(result: Result, found: Found) -> str:
    where = f" at {span(place(result, found.line))}" if result.file else ""
    return (
        f"- {_SIGNS[severity(found)]} {span(found.policy)} "
        f"{span(result.title)}{where}: "
        f"{span(f'{found.field}: {found.message}')}. Fix: {span(found.fix)}"
    )


def _fixed(change: Change) -> str:
    return f"- {span(change.finding.policy)} {span(change.title)}: {span(change.finding.field)}"


def span(text: str) -> str:
    """A code span that holds the text whatever it is: one line, and more backticks around it."""
    text = printable(text).strip()
    if len(text) > LONGEST_SPAN:
        text = f"{text[: LONGEST_SPAN - 1]}…"
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return f"{fence}{space}{text}{space}{fence}"
