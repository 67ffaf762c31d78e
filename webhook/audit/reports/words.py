"""Words and numbers that several reports use."""

from __future__ import annotations

from webhook.audit.findings import Found, Report, Result, Unreadable


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


def summary(report: Report) -> str:
    """``7 objects judged: 2 denied, 1 with warnings, 4 clean`` and what was not judged."""
    count = report.summary
    judged = count["denied"] + count["warned"] + count["allowed"]
    parts = [
        f"{count['denied']} denied",
        f"{count['warned']} with warnings",
        *([f"{count['audited']} with audited findings"] if count["audited"] else []),
        f"{count['allowed'] - count['audited']} clean",
    ]
    text = f"{plural(judged, 'object')} judged: {', '.join(parts)}"
    if changed := sum(bool(result.patch) for result in report.results):
        text += f"; {changed} to be changed by mutating policies"
    if count["known"]:
        text += f"; {plural(count['known'], 'finding')} known from the baseline"
    if rest := _not_judged(count):
        text += f"; not judged: {', '.join(rest)}"
    if count["unreadable"]:
        text += f"; {plural(count['unreadable'], 'problem')} reading the input"
    return text


def _not_judged(count: dict[str, int]) -> list[str]:
    kinds = (
        (count["excluded"], "in excluded namespaces"),
        (count["unknown"], "of kinds that no policy reads"),
        (count["strangers"], "documents that are no Kubernetes objects"),
        (count["unseen"], "patches whose outcome the log does not have"),
    )
    return [f"{number} {what}" for number, what in kinds if number]


def changes(report: Report) -> str:
    """``2 new, 1 fixed, 5 still there``, or "" without a comparison."""
    if report.diff is None:
        return ""
    diff = report.diff
    return f"{len(diff.new)} new, {len(diff.fixed)} fixed, {len(diff.still)} still there"


def plural(number: int, word: str) -> str:
    """``1 object``, ``2 objects``"""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
