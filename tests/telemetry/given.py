"""Reviews and verdicts for the tests of telemetry."""

from __future__ import annotations

from typing import Any

import msgspec

from policies.model import Action, Violation
from webhook.admission.review import AdmissionRequest
from webhook.admission.verdict import Finding, Verdict

UID = "0b4c9f5e-3a77-4b0c-9d3c-1d8f6f0e7a11"
POD = b'{"metadata": {"name": "shop"}}'


def asked(**fields: Any) -> AdmissionRequest:
    """A Pod CREATE by jane."""
    found = {
        "uid": UID,
        "operation": "CREATE",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "dev",
        "name": "shop",
        "userInfo": {"username": "jane"},
        "object": msgspec.Raw(POD),
        **fields,
    }
    return msgspec.json.decode(msgspec.json.encode(found), type=AdmissionRequest)


def verdict(*actions: Action) -> Verdict:
    """A finding of policy ``<action>-policy`` for each action."""
    violation = Violation("spec", "must not be", "remove it")
    return Verdict(
        tuple(Finding(f"{action.value.lower()}-policy", action, violation) for action in actions)
    )


PATCHED = Verdict((), ({"op": "add", "path": "/spec", "value": {}},))
