"""The report as one JSON document: docs/cli.md describes its fields, which are only added to."""

from __future__ import annotations

from typing import Any, TextIO

from policies.baseline.cni import Enforcement
from webhook.audit.baseline.removal import Removal
from webhook.audit.baseline.report import Report
from webhook.audit.baseline.severed import Severed
from webhook.jsontext import indented


def write(report: Report, out: TextIO) -> None:
    """Indented, with a final newline."""
    found, seen = report.standing, report.preview
    content: dict[str, Any] = {
        "apiVersion": "netreeve.io/v1alpha1",
        "kind": "BaselineReport",
        "namespace": _namespace(report),
        "networkPolicies": [
            {"name": one.name, "state": one.state, "why": one.why, "manifest": one.manifest}
            for one in found.rules
        ],
        "left": found.left,
        "problems": [one._asdict() for one in found.problems],
        "enforcement": _enforcement(found.cni),
        "controller": found.controller._asdict(),
        "unreadable": [one._asdict() for one in report.unread],
    }
    if seen is not None:
        content["severed"] = [_severed(one) for one in seen.severed]
        content["connections"] = seen.looked
        content["unusedServices"] = seen.unused
    if report.adopted is not None:
        content["adopted"] = report.adopted
    if report.removal is not None:
        content["removal"] = _removal(report.removal)
        content["removed"] = report.removed
    out.write(indented(content))


def _namespace(report: Report) -> dict[str, Any]:
    found = report.standing
    return {
        "name": found.namespace.name,
        "label": found.label,
        "baseline": found.baseline,
        "configured": found.known,
        "excluded": found.excluded,
        "covered": found.covered,
        "status": dict(report.status),
    }


def _enforcement(found: Enforcement) -> dict[str, Any]:
    return {
        "state": found.state,
        "reason": found.reason,
        "plugins": [one._asdict() for one in found.plugins],
        "notes": found.notes,
    }


def _removal(going: Removal) -> dict[str, Any]:
    return {
        "networkPolicies": [one.name for one in going.policies],
        "label": going.label,
        "opened": [one._asdict() for one in going.opened],
        "severed": [_severed(one) for one in going.severed],
    }


def _severed(one: Severed) -> dict[str, Any]:
    remedy = {key: value for key, value in one.remedy._asdict().items() if value is not None}
    return {**one._asdict(), "remedy": remedy}
