"""The report as one JSON document: docs/doctor.md describes its fields, which are only added to."""

from __future__ import annotations

from typing import Any, TextIO

from webhook.doctor.finding import Check, Finding, Severity
from webhook.doctor.report import Report
from webhook.jsontext import indented


def write(report: Report, out: TextIO) -> None:
    """Indented, with a final newline."""
    content: dict[str, Any] = {
        "apiVersion": "netreeve.io/v1alpha1",
        "kind": "DoctorReport",
        "namespace": report.namespace,
        "kubernetes": report.kubernetes,
        "installed": report.installed,
        "summary": {one.value: report.count(one) for one in Severity},
        "findings": [_finding(check, finding) for check, finding in report.findings],
        "checks": [
            {
                "id": one.check.id,
                "title": one.check.title,
                "severity": None if one.skipped else one.severity.value,
                "skipped": one.skipped,
            }
            for one in report.outcomes
        ],
        "unreadable": [one._asdict() for one in report.unread],
    }
    out.write(indented(content))


def _finding(check: Check, finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.kind.id,
        "check": check.id,
        "severity": finding.kind.severity.value,
        "object": finding.object,
        "message": finding.message,
        "why": finding.kind.why,
        "remedy": finding.remedy,
        "details": finding.details,
    }
