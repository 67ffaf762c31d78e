"""The exemptions of a cluster, gathered from what an audit reads: who, why, until when, and whether
they are still needed.

Told of every stored object with its findings; asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from policies.model import Right
from policies.objects import ObjectMeta
from policies.resources import Resource
from webhook.admission.claiming import annotations_of, may_claim, meta_of
from webhook.admission.lanes import UNREADABLE
from webhook.admission.ruleset import Ruleset
from webhook.admission.verdict import Finding
from webhook.audit.findings import title
from webhook.audit.live.judging import Kind
from webhook.audit.live.stored import Stored
from webhook.exemptions.claim import DAY, STAMP, STAR, Claim, Conditions, read
from webhook.exemptions.config import Grant
from webhook.exemptions.owners import owner, workload
from webhook.exemptions.stamp import Keys, Stamp, unverified
from webhook.exemptions.standing import Annotations, Place, Terms, proven, rights

State = Literal["granted", "not granted", "ended", "invalid", "not verified"]
"""not granted: without a valid stamp. not verified: without the keys, nobody can tell."""
CONFIGURATION = "configuration"
_MAKERS = frozenset(
    ["Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job"]
) | {"CronJob"}
"""What these make carries the exemption of its template, and is not listed by itself."""


class Exemption(msgspec.Struct, frozen=True, kw_only=True):
    """One exemption. kind, namespace, name: of the object, or ``configuration``, and where and whom
    that exempts. until: Unix time.

    needed: policies of it that the object still violates, of a Namespace those that something in
    it does. lost: policies that its grantor could no longer exempt from, None where nobody asked
    or there is no answer. at: RFC 3339.
    """

    kind: str
    namespace: str
    name: str
    policies: tuple[str, ...]
    state: State
    reason: str
    ticket: str = ""
    until: int | None = None
    daysLeft: int | None = None
    by: str = ""
    at: str = ""
    needed: tuple[str, ...] = ()
    lost: tuple[str, ...] | None = None

    @property
    def title(self) -> str:
        if self.kind == CONFIGURATION:
            return f"{self.name or 'everybody'} in {self.namespace or 'every namespace'}"
        return title(self.kind, self.namespace, self.name)


class Listed(NamedTuple):
    """An exemption with what it takes to ask about its grantor."""

    exemption: Exemption
    stamp: Stamp | None = None
    rights: tuple[Right, ...] = ()


class Gathering:
    """Call it with every object; then ``listed`` has the exemptions, the next to end first."""

    def __init__(self, ruleset: Ruleset, keys: Keys | None, now: float) -> None:
        nothing = Conditions(known=frozenset())
        self._terms = Terms(nothing, ruleset.exemptions.owners(), keys)
        self._granted = ruleset.exemptions.granted
        self._now = now
        self._found: list[Listed] = []
        self._around: dict[tuple[str, str], set[str]] = {}
        """(source, namespace or reason) -> policies that it lifts from something"""
        self._open: dict[str, set[str]] = {}
        """Namespace -> policies that something in it violates and that nothing lifts."""

    def __call__(
        self,
        kind: Kind,
        stored: Stored,
        body: bytes | msgspec.Raw,
        findings: Iterable[Finding],
    ) -> None:
        findings = tuple(findings)
        for finding in findings:
            if finding.exempt is None:
                self._open.setdefault(stored.metadata.namespace, set()).add(finding.policy)
            elif (exempt := finding.exempt).source != "annotation":
                where = stored.metadata.namespace if exempt.source == "namespace" else exempt.reason
                self._around.setdefault((exempt.source, where), set()).add(finding.policy)
        made = stored.metadata.controller
        if not may_claim(body) or (made is not None and made.kind in _MAKERS):
            return
        for said, meta in _claims(kind.resource, body):
            if (claim := read(said)) is not None:
                this = workload(kind.resource.kind, kind.resource.group, stored.metadata.name, meta)
                place = Place(stored.metadata.namespace, this, None, owner(meta))
                one = self._listed(kind.resource.kind, place, said, claim)
                violated = {one.policy for one in findings if claim.names(one.policy)}
                self._found.append(_needed_for(one, violated))

    def listed(self) -> tuple[Listed, ...]:
        """Namespaces and the configuration included, with what they are still needed for."""
        found = [self._with_inside(one) for one in self._found]
        found += [Listed(self._configured(grant)) for grant in self._granted]
        never = float("inf")
        return tuple(
            sorted(
                found,
                key=lambda one: (
                    never if one.exemption.until is None else one.exemption.until,
                    one.exemption.title,
                ),
            )
        )

    def _listed(self, kind: str, place: Place, said: Annotations, claim: Claim) -> Listed:
        granted = proven(said, place, self._terms)
        stamp = granted[1] if granted else unverified(said.get(STAMP))
        exemption = Exemption(
            kind=kind,
            namespace=place.namespace,
            name=place.workload.name,
            policies=claim.policies,
            state=self._state(claim, stamp, granted=granted is not None),
            reason=claim.reason,
            ticket=claim.ticket,
            until=claim.until,
            daysLeft=self._days(claim.until),
            by=stamp.by if stamp else "",
            at=stamp.at if stamp else "",
        )
        return Listed(exemption, stamp, rights(claim, place.namespace))

    def _state(self, claim: Claim, stamp: Stamp | None, *, granted: bool) -> State:
        if claim.problems:
            return "invalid"
        if claim.ended(self._now):
            return "ended"
        if granted:
            return "granted"
        return "not verified" if stamp and self._terms.keys is None else "not granted"

    def _days(self, until: int | None) -> int | None:
        return None if until is None else int((until - self._now) // DAY)

    def _with_inside(self, one: Listed) -> Listed:
        found = one.exemption
        if found.kind != "Namespace":
            return one
        inside = self._around.get(("namespace", found.name), set())
        if found.state != "granted":  # it lifts nothing, and would if it were
            named = self._open.get(found.name, set())
            inside = inside | (named if found.policies == (STAR,) else named & {*found.policies})
        return _needed_for(one, inside)

    def _configured(self, grant: Grant) -> Exemption:
        ends = grant.ends
        who = [*grant.users, *grant.groups, *grant.serviceAccounts]
        return Exemption(
            kind=CONFIGURATION,
            namespace=", ".join(grant.namespaces),
            name=", ".join(who),
            policies=grant.policies,
            state="ended" if ends is not None and ends <= self._now else "granted",
            reason=grant.reason,
            until=ends,
            daysLeft=self._days(ends),
            needed=tuple(sorted(self._around.get(("configuration", grant.reason), set()))),
        )


def _needed_for(one: Listed, policies: Iterable[str]) -> Listed:
    needed = tuple(sorted({*one.exemption.needed, *policies}))
    return one._replace(exemption=msgspec.structs.replace(one.exemption, needed=needed))


def _claims(
    resource: Resource, body: bytes | msgspec.Raw
) -> Iterator[tuple[Annotations, ObjectMeta | None]]:
    """The annotations of each subject, with the metadata of the whole object."""
    try:
        view = resource.decode(body)
        subjects = resource.subjects(view)
    except UNREADABLE:
        return
    for one in subjects:
        yield annotations_of(one.metadata), meta_of(view)
