"""Texts about exemptions: why one is refused, and what a finding becomes that one covers."""

from __future__ import annotations

import msgspec

from policies.model import Action, Request, Right, Violation
from policies.workloads import shows_static_pod
from webhook.admission.claiming import Case
from webhook.admission.ratchet import Answers
from webhook.admission.verdict import EXEMPTION, Exempt, Finding
from webhook.exemptions.claim import DAY, EXEMPT, STAMP, Problem
from webhook.exemptions.standing import ALL_POLICIES

UNSEALED = Problem(
    STAMP,
    "must be written by the gate: its mutating webhook has not seen this, or another has undone it",
    "try again",
)
UNNAMED = Problem(
    STAMP,
    "must come from its owner: with a stamp of its own the owner would replace this object",
    "write the exemption on the owner; an administrator may have to name its controller in "
    "exemptions.controllers",
)
WITHOUT_KEYS = Problem(
    STAMP,
    "cannot be written: the gate has no keys for stamps",
    "ask an administrator for the Secret netreeve-stamp",
)
REMOVABLE = "or remove that exemption: the object is exempt without it"


def problem_at(path: str, problem: Problem) -> Finding:
    field = f"{path}.annotations[{problem.annotation}]"
    return Finding(EXEMPTION, Action.DENY, Violation(field, problem.message, problem.fix))


def forbidden(path: str, right: Right, request: Request, answers: Answers) -> Finding:
    where = f"in namespace {right.namespace}" if right.namespace else "in the whole cluster"
    what = "any policy" if right.name == ALL_POLICIES else right.name
    resource = "policies.netreeve.io" + (f"/{right.name}" if right.name else "")
    who = f"{request.user.username} may not" if right in answers else "it is not known who may"
    message = f"must be granted by someone who may exempt from {what} {where}: {who}"
    fix = f"remove it, or let someone write it who has the verb exempt on {resource}"
    if right in answers:  # which `webhook.cluster.access` remembers for ten seconds
        fix = f"{fix}; a right that was given just now counts within ten seconds"
    return problem_at(path, Problem(EXEMPT, message, fix))


def limited(findings: list[Finding], most: Action, case: Case) -> list[Finding]:
    """The findings under the action ``most``; only audited for a static pod, which runs anyway."""
    if any(shows_static_pod(one, case.request) for one in case.subjects):
        most = Action.AUDIT
    return [msgspec.structs.replace(finding, action=most) for finding in findings]


def exempted(finding: Finding, exempt: Exempt) -> Finding:
    action = Action.WARN if finding.action is Action.DENY and exempt.granted else finding.action
    return msgspec.structs.replace(finding, action=action, exempt=exempt)


def with_note(finding: Finding, note: str) -> Finding:
    violation = finding.violation
    fixed = msgspec.structs.replace(violation, fix=f"{violation.fix}; {note}")
    return msgspec.structs.replace(finding, violation=fixed)


def exempt_until(
    source: str, reason: str, until: int | None, now: float, *, by: str = "", granted: bool = True
) -> Exempt:
    days = None if until is None else int((until - now) // DAY)
    return Exempt(source, reason, until, days, by, granted)
