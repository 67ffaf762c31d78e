"""Exemptions in a verdict: which findings they lift, which rights that takes, and the stamps.

The gate judges first; it asks here only for objects that have findings or claim an exemption.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from policies.model import NEVER_OLD, Action, Right
from webhook.admission.blanket import BlanketExemptions
from webhook.admission.claiming import (
    Case,
    adds_violation,
    annotations_of,
    is_compared_by_owner,
    is_template,
    key_of,
    may_restamp,
    meta_of,
    metadata_path,
    place_of,
    stamp_patch,
    strays,
)
from webhook.admission.cluster import Cluster
from webhook.admission.patch import Operation
from webhook.admission.ratchet import Answers
from webhook.admission.refusals import (
    REMOVABLE,
    UNNAMED,
    UNSEALED,
    WITHOUT_KEYS,
    exempt_until,
    exempted,
    forbidden,
    limited,
    problem_at,
    with_note,
)
from webhook.admission.ruleset import Ruleset
from webhook.admission.verdict import Exempt, Finding
from webhook.exemptions.claim import EXEMPT, Problem
from webhook.exemptions.owners import owner, workload
from webhook.exemptions.stamp import KeyRing
from webhook.exemptions.standing import (
    Origin,
    Place,
    Standing,
    Terms,
    Trust,
    standing,
    wanted_stamp,
)


class _Claimed(NamedTuple):
    """A claim and where it was found.

    subject: what carries it; before: that subject in the old object, None if it is new; path: of
    the metadata with the annotations.
    """

    subject: Any
    before: Any
    path: str
    standing: Standing


NO_KEYS = KeyRing()


class Exemptions:
    """The exemptions under one configuration. Has no state: keys change in `ring`, and what is
    known of namespaces in `cluster`."""

    def __init__(
        self, ruleset: Ruleset, cluster: Cluster | None, ring: KeyRing, trust: Trust
    ) -> None:
        policies = [step.policy for step in ruleset.steps]
        self._known = frozenset(one.id for one in policies if one.validate and one.exemptable)
        others = frozenset(one.id for one in policies) - self._known
        self._conditions = ruleset.exemptions.conditions(self._known, others)
        self._owners = ruleset.exemptions.owners()
        self._ring, self._trust = ring, trust
        self.blanket = BlanketExemptions(ruleset.exemptions.granted, cluster, trust)

    def apply(
        self, case: Case, findings: list[Finding], answers: Answers, refused: Action
    ) -> tuple[list[Finding], tuple[Right, ...]]:
        """The findings after exemptions, and the rights that are needed and not yet answered.

        Findings that are exempt become warnings; claims that are refused become findings of their
        own, under the action ``refused``.
        """
        claimed = self._claimed(case, self._place(case))
        claims = {one.path: one.standing for one in claimed}
        places = {metadata_path(one) for one in case.subjects} if claims else ()
        needed = {right: None for one in claimed for right in one.standing.needed}
        extra = [finding for one in claimed for finding in self._refusals(one, case, answers)]
        if not claimed and (stray := self._stray(case)):
            extra.append(stray)
        refusals = limited(extra, refused, case)
        lifted = [
            self._lifted(one, claims.get(place_of(one, places)), case, answers, needed)
            for one in findings
        ]
        asked = () if self._trust is not Trust.ASK else tuple(needed)
        questions = tuple(right for right in asked if right not in answers)
        return [*lifted, *refusals] if refused is not Action.OFF else lifted, questions

    def stamps(
        self, case: Case, answers: Answers
    ) -> tuple[tuple[Operation, ...], tuple[Right, ...]]:
        """The operations that write or remove stamps, and the rights that are not yet answered."""
        operations: list[Operation] = []
        questions: dict[Right, None] = {}
        keys = self._ring.keys
        place = self._place(case)
        for one in self._claimed(case, place):
            found = one.standing
            questions |= {right: None for right in found.needed if right not in answers}
            if keys is None or is_compared_by_owner(case):
                continue
            text = wanted_stamp(
                found, place, keys, user=case.request.user, now=case.now,
                granted=all(answers.get(right) for right in found.needed),
                renew=may_restamp(one.subject, one.before, case),
            )  # fmt: skip
            operations += stamp_patch(one.subject, text)
        if place.made_for is None and not is_compared_by_owner(case):
            operations += strays(case)
        return tuple(operations), tuple(questions)

    def _claimed(self, case: Case, place: Place) -> list[_Claimed]:
        """Every claim where it belongs: on the pod template, or on an object without one."""
        before = {key_of(one): one for one in case.old_subjects}
        found = list[_Claimed]()
        for one in case.subjects:
            new = annotations_of(one.metadata)
            if EXEMPT not in new:
                continue
            was = before.get(key_of(one))
            old = new if case.stored else annotations_of(meta_of(was))
            how = standing(new, old, place, self._terms, case.now, created=case.created)
            if how is not None:
                found.append(_Claimed(one, was, metadata_path(one), how))
        return found

    @property
    def _terms(self) -> Terms:
        return Terms(self._conditions, self._owners, self._ring.keys)

    def _place(self, case: Case) -> Place:
        request, meta = case.request, meta_of(case.view)
        this = workload(request.kind, request.group, request.name, meta)
        if case.created:
            return Place(case.namespace, this, self._owners.made_for(request.user, this.kind, meta))
        return Place(
            case.namespace, this, None, owner(meta if case.stored else meta_of(case.old_view))
        )

    def _refusals(self, one: _Claimed, case: Case, answers: Answers) -> list[Finding]:
        """What is wrong with a claim that this request writes, or with its stamp."""
        found = one.standing
        refusals = [problem_at(one.path, problem) for problem in found.problems]
        if self._trust is not Trust.ASK:
            return refusals
        missing = [right for right in found.needed if not answers.get(right)]
        refusals += [forbidden(one.path, right, case.request, answers) for right in missing]
        written = found.origin in (Origin.WRITTEN, Origin.NARROWED)
        if written and not refusals and found.sealed is None and not case.request.early:
            unsealed = UNNAMED if is_compared_by_owner(case) else UNSEALED
            refusals.append(problem_at(one.path, unsealed if self._ring.keys else WITHOUT_KEYS))
        return refusals

    def _stray(self, case: Case) -> Finding | None:
        """A claim beside a pod template, where no pod would carry it."""
        if not is_template(case.subjects) or case.stored:
            return None
        new, was = annotations_of(meta_of(case.view)), annotations_of(meta_of(case.old_view))
        if EXEMPT not in new or new[EXEMPT] == was.get(EXEMPT):
            return None
        if self._owners.is_controller(case.request.user):
            return None  # what a Deployment's annotations say, its ReplicaSets say too
        where = f"{metadata_path(case.subjects[0])}.annotations"
        message = f"must be among {where}: pods carry what stands there"
        return problem_at(
            "metadata", Problem(EXEMPT, message, "move all annotations netreeve.io/exempt*")
        )

    def _lifted(
        self,
        finding: Finding,
        claimed: Standing | None,
        case: Case,
        answers: Answers,
        needed: dict[Right, None],
    ) -> Finding:
        """The finding, as a warning if anything exempts it."""
        if finding.policy not in self._known or finding.violation.keys == NEVER_OLD:
            return finding
        if claimed is not None and not claimed.claim.names(finding.policy):
            claimed = None
        other = self.blanket.lifting(finding.policy, case, self._terms)
        if other and not (claimed and adds_violation(claimed, finding, case)):
            return exempted(finding, other)
        if claimed is None:
            return finding
        found = self._claimed_by(claimed, finding, case, answers, needed)
        return with_note(found, REMOVABLE) if other and found.exempt is None else found

    def _claimed_by(
        self,
        found: Standing,
        finding: Finding,
        case: Case,
        answers: Answers,
        needed: dict[Right, None],
    ) -> Finding:
        unknown = self._trust is not Trust.ASK and found.granted is None
        if why := found.counts_until(case.now, unknown=unknown):
            return with_note(finding, f"its exemption does not count: {why}")
        exempt = _exempt_by_annotation(found, case)
        if unknown and self._trust is Trust.SHOW:
            return msgspec.structs.replace(finding, exempt=exempt)
        if unknown:
            return exempted(finding, msgspec.structs.replace(exempt, granted=True))
        rights = found.needed
        if adds_violation(found, finding, case):
            rights = (Right(finding.policy, case.namespace),)
        if all(answers.get(right) for right in rights):
            return exempted(finding, msgspec.structs.replace(exempt, granted=True))
        needed |= dict.fromkeys(rights)
        if found.origin is Origin.WRITTEN or any(right not in answers for right in rights):
            return finding
        names = " and ".join(right.name for right in rights)
        return with_note(
            finding,
            "its exemption is for what was there before; to change it takes the right to exempt "
            f"from {names}",
        )


def _exempt_by_annotation(found: Standing, case: Case) -> Exempt:
    claim = found.claim
    by = found.granted.by if found.granted else case.request.user.username
    return exempt_until("annotation", claim.reason, claim.until, case.now, by=by, granted=False)
