"""What the page shows, as JSON: findings in rows of a few numbers and texts, so that ten thousand
of them stay a small file. `script/` reads it; nothing else does.
"""

from __future__ import annotations

from typing import Any

from policies import catalogue
from webhook.admission.verdict import MALFORMED
from webhook.audit.findings import Change, Found, Report, Result
from webhook.audit.reports.html.exposed import exposed
from webhook.audit.reports.words import (
    changes,
    judged,
    place,
    plural,
    printable,
    severity,
    summary,
)


def content(report: Report) -> dict[str, Any]:
    """Texts of users are on one line each, as in the other reports for people."""
    policies = _Policies()
    unread = report.exposure.unread if report.exposure else ()
    objects: list[list[Any]] = []
    findings: list[list[Any]] = []
    for result in report.results:
        if result.findings:
            rows = [_finding(len(objects), policies, result, one) for one in result.findings]
            findings += rows
            objects.append(_object(result))
    return {
        "summary": report.summary,
        "sentence": summary(report),
        "judged": judged(report),
        "failOn": report.failOn.value,
        "exitCode": report.exit_code,
        "objects": objects,
        "findings": findings,
        "policies": policies.rows,
        "unreadable": [
            *([place(one), printable(one.message)] for one in report.unreadable),
            *([printable(one.path), printable(one.message)] for one in unread),
        ],
        "changes": changes(report),
        "new": sorted({one.finding.id for one in report.diff.new}) if report.diff else [],
        "exposure": exposed(report.exposure) if report.exposure else None,
        "fixed": [_fixed(one) for one in report.diff.fixed] if report.diff else [],
    }


def _object(result: Result) -> list[Any]:
    asked = result.asked
    return [
        printable(result.kind),
        printable(result.namespace),
        printable(result.name),
        result.status,
        result.folded or 0,
        printable(f"{asked.verb} by {asked.user} at {asked.at}") if asked else "",
    ]


def _finding(at: int, policies: _Policies, result: Result, found: Found) -> list[Any]:
    return [
        at,
        policies.index(found.policy),
        severity(found),
        printable(found.field),
        printable(found.message),
        printable(found.fix),
        place(result, found.line),
        found.id,
        int(found.preexisting),
        _exempt(found),
    ]


def _exempt(found: Found) -> str:
    """What an exemption says of it, "" without one."""
    if not found.exempt:
        return ""
    one = found.exempt
    who = f"granted by {one.by}" if one.by else "granted" if one.granted else "claimed, not granted"
    until = "" if one.daysLeft is None else f", {plural(one.daysLeft, 'day')} left"
    return printable(f"Exemption {who}{until}: {one.reason}")


class _Policies:
    """The policies that have findings, each with what the page says of it."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self._at: dict[str, int] = {}
        self._known = {one.id: one for one in catalogue()}

    def index(self, name: str) -> int:
        if name not in self._at:
            self._at[name] = len(self.rows)
            policy = self._known.get(name)
            malformed = "The object could be read" if name == MALFORMED else ""
            texts = (policy.title, policy.why, policy.fix) if policy else (malformed, "", "")
            self.rows.append([printable(name), *texts])
        return self._at[name]


def _fixed(change: Change) -> list[str]:
    return [
        printable(change.title),
        printable(change.finding.policy),
        printable(change.finding.field),
    ]
