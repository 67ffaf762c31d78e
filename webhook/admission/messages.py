"""What people read: the denial, the warnings and the audit annotations of a Verdict.

Limits of the API server (endpoints/filters/warning.go, admission/attributes.go): warnings of at
most 120 characters on one line, 4096 in total; annotation keys without a slash.
"""

from __future__ import annotations

from policies.model import Action, Request
from webhook.admission.verdict import Finding, Verdict

WARNING_LENGTH = 120
MOST_WARNINGS = 20
MOST_DENIALS = 50
ANNOTATION_LENGTH = 2048


def denial(request: Request, verdict: Verdict) -> str:
    """Every violation that denies, one a line: id, field, what must hold, what to do next."""
    denied = verdict.under(Action.DENY)
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
    """``deny``, ``warn`` and ``audit``: the violations under each action, in the audit log."""
    lines: dict[str, list[str]] = {}
    for finding in verdict.findings:
        lines.setdefault(finding.action.value.lower(), []).append(_line(finding))
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
        note = " (already so before this update)"
    elif finding.lifted:
        note = " (allowed: you may exempt it)"
    text = _line(finding) if note else f"{_line(finding)}; {finding.violation.fix}"
    return _shorten(text, WARNING_LENGTH - len(note)) + note


def _one_line(text: str) -> str:
    """Names and values are the user's: no line breaks or control characters reach a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " for char in text)


def _shorten(text: str, length: int) -> str:
    text = _one_line(text)
    return text if len(text) <= length else f"{text[: length - 1]}…"
