"""What people read: the denial, the warnings and the audit annotations of a Verdict.

Limits of the API server (endpoints/filters/warning.go, admission/attributes.go): warnings of at
most 120 characters on one line, 4096 in total; annotation keys without a slash.
"""

from __future__ import annotations

from policies.model import Action, Request
from webhook.admission.verdict import Exempt, Finding, Verdict
from webhook.exemptions.claim import moment

WARNING_LENGTH = 120
MOST_WARNINGS = 20
MOST_DENIALS = 50
ANNOTATION_LENGTH = 2048
WARN_DAYS = 14
"""Before an exemption ends, warnings begin to count the days."""


def denial(request: Request, verdict: Verdict) -> str:
    """Every violation that denies, one a line: id, field, what must hold, what to do next."""
    denied = verdict.denied
    lines = [_one_line(f"{_count(len(denied))} in {_object(request)}")]
    lines += [
        _one_line(f"- {_line(finding)}; {finding.violation.fix}")
        for finding in denied[:MOST_DENIALS]
    ]
    if len(denied) > MOST_DENIALS:
        lines.append(f"- and {len(denied) - MOST_DENIALS} more")
    if verdict.questions:
        lines.append("Whether you may exempt this could not be asked of the API server; try again")
    lines.append(_one_line(f"More: netreeve explain {denied[0].policy}"))
    return "\n".join(lines)


def warnings(verdict: Verdict) -> list[str]:
    """One line for every violation that warns."""
    warned = verdict.under(Action.WARN)
    lines = [_warning(finding) for finding in warned[:MOST_WARNINGS]]
    if len(warned) > MOST_WARNINGS:
        lines.append(f"netreeve: and {len(warned) - MOST_WARNINGS} more warnings")
    return lines


def audit_annotations(verdict: Verdict) -> dict[str, str]:
    """``deny``, ``warn`` and ``audit``: the violations under each action, in the audit log.

    And ``exempt``: those that are not enforced, and why.
    """
    lines: dict[str, list[str]] = {}
    for finding in verdict.findings:
        if finding.exempt and finding.exempt.granted:
            lines.setdefault("exempt", []).append(_exempted(finding, finding.exempt))
        else:
            lines.setdefault(finding.action.word.lower(), []).append(_line(finding))
    return {name: _shorten("; ".join(found), ANNOTATION_LENGTH) for name, found in lines.items()}


def _object(request: Request) -> str:
    kind = request.kind or request.resource
    name = request.name or "(name not yet generated)"
    if request.namespace and request.resource != "namespaces":
        return f"{kind} {request.namespace}/{name}"
    return f"{kind} {name}"


def _count(number: int) -> str:
    return "1 violation" if number == 1 else f"{number} violations"


def _line(finding: Finding) -> str:
    violation = finding.violation
    return f"{finding.policy}: {violation.field}: {violation.message}"


def _warning(finding: Finding) -> str:
    """Why it is no denial is said even where the rest has to be cut."""
    note = ""
    if finding.preexisting:
        note = " (was so before)"
    elif finding.lifted:
        note = " (allowed: you may exempt it)"
    if finding.exempt and finding.exempt.granted:
        note = f" (exempt {ending_of(finding.exempt)})"
    text = _line(finding) if note else f"{_line(finding)}; {finding.violation.fix}"
    return _shorten(text, WARNING_LENGTH - len(note)) + note


def ending_of(exempt: Exempt) -> str:
    """Until when; in the last days also how many are left."""
    if exempt.until is None or exempt.daysLeft is None:
        return "without end"
    left = {0: "less than a day left", 1: "1 day left"}.get(
        exempt.daysLeft, f"{exempt.daysLeft} days left"
    )
    soon = f", {left}" if exempt.daysLeft < WARN_DAYS else ""
    return f"until {moment(exempt.until)}{soon}"


def _exempted(finding: Finding, exempt: Exempt) -> str:
    by = f" by {exempt.by}" if exempt.by else ""
    where = f"{exempt.source}{by}, {ending_of(exempt)}: {exempt.reason}"
    return f"{_line(finding)} ({where})"


def _one_line(text: str) -> str:
    """Names and values are the user's: no line breaks or control characters reach a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " for char in text)


def _shorten(text: str, length: int) -> str:
    text = _one_line(text)
    return text if len(text) <= length else f"{text[: length - 1]}…"
