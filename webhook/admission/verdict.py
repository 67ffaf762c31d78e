"""What the gate found and decided: Finding and Verdict, with no wire format in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from policies.model import Action, Right, Violation

MALFORMED = "malformed"
"""Stands where a policy id would when the object could not be read at all."""


EXEMPTION = "exemption"
"""Stands where a policy id would when the exemption that an object claims is refused."""


class Exempt(msgspec.Struct, frozen=True):
    """Why a violation is not enforced, or would not be.

    source: ``annotation``, ``namespace`` or ``configuration``. until: Unix time, None for never.
    daysLeft: whole days until then. by: who granted it. granted: false where it is only claimed,
    and nobody can be asked.
    """

    source: str
    reason: str
    until: int | None = None
    daysLeft: int | None = None
    by: str = ""
    granted: bool = True


class Finding(msgspec.Struct, frozen=True):
    """One violation under the action it was given.

    preexisting: the object already violated the policy like this before the update, so what
        would be Deny has become Warn.
    lifted: the requester has the right that lifts the violation, so Deny has become Warn.
    exempt: an exemption names the policy; where it is granted, Deny has become Warn.
    """

    policy: str
    action: Action
    violation: Violation
    preexisting: bool = False
    lifted: bool = False
    exempt: Exempt | None = None


class Verdict(msgspec.Struct, frozen=True):
    """The answer to one request.

    findings: sorted by policy id and field path. patch: RFC 6902 operations, () for no change.
    errors: exceptions that policies raised; each has a finding too, these are for the log.
    questions: rights that would lift a denial if the requester has them. Ask, then judge again
        with the answers; what stays unanswered stays denied.
    """

    findings: tuple[Finding, ...] = ()
    patch: tuple[dict[str, Any], ...] = ()
    errors: tuple[Exception, ...] = ()
    questions: tuple[Right, ...] = ()

    @property
    def allowed(self) -> bool:
        return not self.denied

    @property
    def denied(self) -> tuple[Finding, ...]:
        """The findings that deny."""
        return tuple([finding for finding in self.findings if finding.action.denies])

    def under(self, action: Action) -> tuple[Finding, ...]:
        """The findings with this action."""
        return tuple([finding for finding in self.findings if finding.action is action])


ALLOWED = Verdict()


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sorted, so that the same object always gets the same text; the strongest of equals wins."""
    findings = tuple(findings)
    if len(findings) < 2:
        return findings
    best: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        key = (finding.policy, finding.violation.field, finding.violation.message)
        if key not in best or finding.action.strength > best[key].action.strength:
            best[key] = finding
    return tuple(best[key] for key in sorted(best, key=lambda key: (key[0], _natural(key[1]), key)))


def _natural(field: str) -> list[tuple[int, str]]:
    """A path with its list positions as numbers, so that [2] comes before [10]."""
    parts = re.split(r"\[([0-9]+)\]", field)
    return [(int(part), "") if at % 2 else (0, part) for at, part in enumerate(parts)]
