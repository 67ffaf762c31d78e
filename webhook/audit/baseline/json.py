"""The report as one JSON document: docs/cli.md describes its fields, which are only added to."""

from __future__ import annotations

from typing import Any, TextIO

import msgspec

from webhook.audit.baseline.report import Report
from webhook.audit.baseline.severed import Severed


def write(report: Report, out: TextIO) -> None:
    """Indented, with a final newline."""
    found, seen = report.standing, report.preview
    content: dict[str, Any] = {
        "apiVersion": "netreeve.io/v1alpha1",
        "kind": "BaselineReport",
        "namespace": {
            "name": found.namespace.name,
            "label": found.label,
            "baseline": found.baseline,
            "configured": found.known,
            "excluded": found.excluded,
            "covered": found.covered,
            "status": dict(report.status),
        },
        "networkPolicies": [
            {"name": one.name, "state": one.state, "why": one.why, "manifest": one.manifest}
            for one in found.rules
        ],
        "left": found.left,
        "problems": [one._asdict() for one in found.problems],
        "enforcement": {
            "state": found.cni.state,
            "reason": found.cni.reason,
            "plugins": [one._asdict() for one in found.cni.plugins],
            "notes": found.cni.notes,
        },
        "controller": found.controller._asdict(),
        "unreadable": [one._asdict() for one in report.unread],
    }
    if seen is not None:
        content["severed"] = [_severed(one) for one in seen.severed]
        content["connections"] = seen.looked
        content["unusedServices"] = seen.unused
    if report.adopted is not None:
        content["adopted"] = report.adopted
    if (going := report.removal) is not None:
        content["removal"] = {
            "networkPolicies": [one.name for one in going.policies],
            "label": going.label,
            "opened": [one._asdict() for one in going.opened],
            "severed": [_severed(one) for one in going.severed],
        }
        content["removed"] = report.removed
    out.write(msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n")


def _severed(one: Severed) -> dict[str, Any]:
    remedy = {key: value for key, value in one.remedy._asdict().items() if value is not None}
    return {**one._asdict(), "remedy": remedy}
