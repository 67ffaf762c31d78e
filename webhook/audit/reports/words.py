"""Words and numbers that several reports use."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.audit.findings import Found, Report, Result, Unreadable
from webhook.audit.judged import Judged
from webhook.audit.manifests import STDIN

MOST_NAMED = 3
"""Paths or kinds; hooks judge hundreds of files in one run."""


def printable(text: str) -> str:
    """Text of users on one line, without control characters for a terminal to obey."""
    return "".join(char if char.isprintable() else " " for char in text)


def place(one: Result | Unreadable, line: int | None = None) -> str:
    """``web.yaml:7``, or ``shop/web.yaml (line 7 of standard input)`` for what Helm has rendered.

    "" for a live object. line: of a field; without it, that of the object.
    """
    line = line or one.line
    if not (line and one.file):
        return printable(one.file)
    if one.input:
        return f"{printable(one.file)} (line {line} of standard input)"
    return f"{printable(one.file)}:{line}"


def sentence(found: Found) -> str:
    """``spec.type: must not be NodePort; use ClusterIP``"""
    return printable(f"{found.field}: {found.message}; {found.fix}")


def severity(found: Found) -> str:
    """``Deny``, ``Warn``, ``Audit``, or ``Exempt`` where an exemption lifts it."""
    return "Exempt" if found.is_exempt else found.action.value


def judged(report: Report) -> str:
    """``manifests deploy; profile strict; configuration gate.yaml; at 2027-03-31T12:00:00Z``"""
    return "; ".join(f"{name} {value}".rstrip() for name, value in facts(report.judged))


def facts(of: Judged) -> Iterator[tuple[str, str]]:
    """What was judged, by which rules and when, each with its name; nothing of what is unknown."""
    if of.source == "cluster":
        yield "cluster", printable(of.cluster)
    elif of.paths:
        yield "manifests" if of.source == "manifests" else "audit log", _paths(of.paths)
    rest = {
        "context": of.context,
        "namespace": of.namespace,
        "profile": of.profile,
        "stage": of.stage,
        "configuration": of.config,
        "at": of.time,
        "exemptions as of": of.asOf,
    }
    yield from ((name, printable(value)) for name, value in rest.items() if value)


def _paths(paths: tuple[str, ...]) -> str:
    return _first(["standard input" if one == STDIN else one for one in paths])


def _first(names: list[str]) -> str:
    rest = len(names) - MOST_NAMED
    text = ", ".join(map(printable, names[:MOST_NAMED]))
    return f"{text} and {rest} more" if rest > 0 else text


def summary(report: Report) -> str:
    """``7 objects judged: 2 denied, 1 with warnings, 4 clean`` and what was not judged."""
    count = report.summary
    statuses = ("denied", "warned", "preexisting", "exempt", "allowed")
    optional = (
        (count["preexisting"], "pre-existing"),
        (count["exempt"], "exempt"),
        (count["audited"], "with audited findings"),
    )
    parts = [
        f"{count['denied']} denied",
        f"{count['warned']} with warnings",
        *(f"{number} {what}" for number, what in optional if number),
        f"{count['allowed'] - count['audited']} clean",
    ]
    total = sum(count[status] for status in statuses)
    text = f"{plural(total, 'object')} judged: {', '.join(parts)}"
    if changed := sum(bool(result.patch) for result in report.results):
        text += f"; {changed} to be changed by mutating policies"
    if old := sum(found.preexisting for _, found in report.each()):
        text += f"; {plural(old, 'pre-existing finding')}"
    if number := _fixable(report):
        text += f"; --fix can correct {plural(number, 'finding')}"
    if rest := _not_judged(report):
        text += f"; not judged: {', '.join(rest)}"
    if count["unreadable"]:
        text += f"; {plural(count['unreadable'], 'problem')} reading the input"
    return text


def _fixable(report: Report) -> int:
    """How many findings have a remedy, and stand in a file that can be changed."""
    if report.judged.source != "manifests":
        return 0
    return sum(
        bool(found.remedy)
        for result, found in report.each()
        if result.file not in ("", STDIN) and not result.input
    )


def _not_judged(report: Report) -> list[str]:
    count = report.summary
    kinds = (
        (count["excluded"], "in excluded namespaces"),
        (count["unknown"], f"of kinds that no policy reads{_with_pods(report)}"),
    )
    found = [f"{number} {what}" for number, what in kinds if number]
    if count["strangers"]:
        found.append(f"{plural(count['strangers'], 'document')} without a Kubernetes object")
    if count["unseen"]:
        found.append(
            f"{plural(count['unseen'], 'patch', 'patches')} without its outcome in the log"
        )
    return found


def _with_pods(report: Report) -> str:
    """The kinds among them whose pods would be judged if they were configured."""
    kinds = {
        f"{one.kind}.{one.apiVersion.rpartition('/')[0]}".rstrip(".")
        for one in report.results
        if one.podTemplates
    }
    if not kinds:
        return ""
    named = _first(sorted(kinds))
    return f" (with pod templates: {named}, to be listed as workloads in the configuration)"


def changes(report: Report) -> str:
    """``2 new, 1 fixed, 5 still there, 3 not seen this time``, or "" without a comparison."""
    if report.diff is None:
        return ""
    diff = report.diff
    text = f"{len(diff.new)} new, {len(diff.fixed)} fixed, {len(diff.still)} still there"
    return f"{text}, {len(diff.notSeen)} not seen this time" if diff.notSeen else text


def plural(number: int, word: str, many: str = "") -> str:
    """``1 object``, ``2 objects``; many: where it is not the word with an s."""
    return f"{number} {word}" if number == 1 else f"{number} {many or f'{word}s'}"
