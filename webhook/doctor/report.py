"""What `netreeve doctor` has to say, as one value that the formats write. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from webhook.cluster.lists import Unread
from webhook.doctor.checks import checks
from webhook.doctor.finding import About, Check, Finding, Severity
from webhook.doctor.seen import Seen

NEEDS = {
    "hooks": "webhook configurations",
    "guards": "ValidatingAdmissionPolicies",
    "facts": "what tells the network plugin and the DNS",
    "leases": "the Lease of the controller",
    "rights": "the rights of the service accounts",
    "certificate": "the certificate",
}
"""What users call the fields of Seen, where that is something else."""


class Outcome(NamedTuple):
    """skipped: why the check was not made; "" if it was."""

    check: Check
    findings: tuple[Finding, ...] = ()
    skipped: str = ""

    @property
    def severity(self) -> Severity:
        """Of the worst finding."""
        ranked = sorted((one.kind.severity for one in self.findings), key=lambda one: one.rank)
        return next(iter(ranked), Severity.OK)


class Report(NamedTuple):
    namespace: str
    kubernetes: str
    installed: bool
    outcomes: tuple[Outcome, ...]
    unread: tuple[Unread, ...]

    @property
    def findings(self) -> list[tuple[Check, Finding]]:
        """The worst first, else in the order of the checks."""
        found = [(one.check, finding) for one in self.outcomes for finding in one.findings]
        return sorted(found, key=lambda one: one[1].kind.severity.rank)

    def count(self, severity: Severity) -> int:
        """Findings; of OK, the checks that found nothing worse than information."""
        if severity is Severity.OK:
            return sum(not one.skipped and one.severity.rank >= 2 for one in self.outcomes)
        return sum(finding.kind.severity is severity for _, finding in self.findings)

    def exit_code(self, fail_on: Severity) -> int:
        """2 where something could not be read, 1 where something is as bad as `fail_on`."""
        if self.unread:
            return 2
        return int(any(one.severity.rank <= fail_on.rank for one in self.outcomes))


def report(seen: Seen) -> Report:
    """Every check on what was seen."""
    outcomes = tuple(_outcome(check, seen) for check in checks())
    return Report(seen.namespace, seen.kubernetes, seen.installed, outcomes, seen.unread)


def _outcome(check: Check, seen: Seen) -> Outcome:
    if missing := [need for need in check.needs if getattr(seen, need) is None]:
        words = " and ".join(NEEDS.get(need, need) for need in missing)
        return Outcome(check, skipped=f"not checked: {words} could not be read")
    if reason := _nothing_to_see(check.about, seen):
        return Outcome(check, skipped=f"not checked: {reason}")
    return Outcome(check, tuple(_distinct(check, seen)))


def _nothing_to_see(about: About, seen: Seen) -> str:
    if about == "Netreeve" and not seen.installed:
        return "Netreeve is not installed"
    if about in ("its webhooks", "an enforcing gate") and not seen.ours:
        return "no webhook of Netreeve is active"
    if about == "an enforcing gate" and not seen.enforcing:
        return "its webhooks fail open, so nothing has to be denied"
    if about == "any webhook" and not seen.judged:
        return "no webhook of Netreeve is active" + ("; --all looks at others" * bool(seen.hooks))
    return ""


def _distinct(check: Check, seen: Seen) -> Iterator[Finding]:
    yield from dict.fromkeys(check.run(seen))
