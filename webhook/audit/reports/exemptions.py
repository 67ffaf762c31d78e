"""The exemptions of a cluster, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from webhook.audit.exemptions import Exemption
from webhook.audit.findings import Unreadable
from webhook.audit.reports.terminal import show
from webhook.audit.reports.words import plural, printable
from webhook.exemptions.claim import moment
from webhook.jsontext import indented

SOON = 14
"""Days before its end from which the gate warns of an exemption, too."""
_STYLES = {
    "granted": "green", "ended": "dim", "not granted": "bold red", "invalid": "bold red",
    "not verified": "yellow",
}  # fmt: skip


def table(found: Sequence[Exemption], unread: Sequence[Unreadable], out: TextIO) -> None:
    """One block for each, the next to end first, then the count."""
    show(_blocks(found, unread), out)


def json(found: Sequence[Exemption], unread: Sequence[Unreadable], out: TextIO) -> None:
    """docs/cli.md describes its fields, which are only added to."""
    content = {
        "apiVersion": "netreeve.io/v1alpha1",
        "kind": "ExemptionsReport",
        "exemptions": found,
        "unreadable": unread,
    }
    out.write(indented(content))


def _blocks(found: Sequence[Exemption], unread: Sequence[Unreadable]) -> Iterator[RenderableType]:
    for problem in unread:
        text = f"cannot read {printable(problem.file)}: {printable(problem.message)}"
        yield Text(text, style="bold red")
    for one in found:
        yield Text.assemble(
            (printable(one.title), "bold"),
            "  ",
            printable(", ".join(one.policies)),
            "  ",
            (one.state, _STYLES[one.state]),
        )
        yield Padding(Text(printable("; ".join(_facts(one)))), (0, 0, 0, 2))
        ticket = f" ({one.ticket})" if one.ticket else ""
        yield Padding(Text(printable(f"{one.reason}{ticket}")), (0, 0, 0, 2))
        yield ""
    complete = all(one.file == "nodes" for one in unread)  # which bear no exemptions
    yield Text(summary(found, complete=complete), style="bold")


def _facts(one: Exemption) -> Iterator[str]:
    yield _until(one)
    if one.by:
        yield f"by {one.by} at {one.at}"
    gone = [policy for policy in one.policies if policy != "*" and policy not in one.needed]
    if one.needed:
        yield f"needed for {', '.join(one.needed)}"
    if gone or not one.needed:
        yield f"not needed any more: {', '.join(gone) or 'nothing is violated'}"
    if one.lost:
        yield f"{one.by} could no longer exempt from {', '.join(one.lost)}"
    elif one.lost is not None:
        yield f"{one.by} could still grant it"


def _until(one: Exemption) -> str:
    if one.until is None or one.daysLeft is None:
        return "without end"
    if one.state == "ended":
        return f"ended with {moment(one.until)}"
    return f"until {moment(one.until)}, {plural(one.daysLeft, 'day')} left"


def summary(found: Sequence[Exemption], *, complete: bool = True) -> str:
    """``3 exemptions: 2 granted, 1 ended; 1 ends within 14 days; 1 not needed any more``

    complete: whether all was read; else there may be more of them.
    """
    if not (found or complete):
        return "not known how many exemptions there are: none in what could be read"
    states = Counter(one.state for one in found)
    parts = [f"{'' if complete else 'at least '}{plural(len(found), 'exemption')}"]
    if states:
        parts[0] += f": {', '.join(f'{number} {state}' for state, number in states.items())}"
    live = [one for one in found if one.state not in ("ended", "invalid")]
    if soon := sum(one.daysLeft is not None and one.daysLeft < SOON for one in live):
        parts.append(f"{soon} of them {'ends' if soon == 1 else 'end'} within {SOON} days")
    if idle := sum(not one.needed for one in found):
        parts.append(f"{idle} not needed any more")
    if lost := sum(bool(one.lost) for one in found):
        parts.append(f"{lost} that the grantor could no longer grant")
    return "; ".join(parts)
