"""Words and numbers that several reports use."""

from __future__ import annotations

from webhook.audit.findings import Report


def printable(text: str) -> str:
    """Text of users on one line, without control characters for a terminal to obey."""
    return "".join(char if char.isprintable() else " " for char in text)


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
    rest = [
        f"{number} {what}"
        for number, what in (
            (count["excluded"], "in excluded namespaces"),
            (count["unknown"], "of kinds that no policy reads"),
            (count["strangers"], "documents that are no Kubernetes objects"),
        )
        if number
    ]
    if changed := sum(bool(result.patch) for result in report.results):
        text += f"; {changed} to be changed by mutating policies"
    if rest:
        text += f"; not judged: {', '.join(rest)}"
    if count["unreadable"]:
        text += f"; {plural(count['unreadable'], 'problem')} reading the input"
    return text


def plural(number: int, word: str) -> str:
    """``1 object``, ``2 objects``"""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
