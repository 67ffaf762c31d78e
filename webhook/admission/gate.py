"""The gate: which policies judge a request, what the ratchet forgives, and the Verdict.

The same function answers admission, audit and command line. Knows no HTTP, no clock and no
configuration file: it is built from a Ruleset and asked with a Review.
"""

from __future__ import annotations

from typing import Any

import msgspec

from policies.model import (
    DELETE,
    NEVER_OLD,
    UPDATE,
    Action,
    Request,
    Right,
)
from webhook.admission.asking import apply, failed, malformed, mutate
from webhook.admission.claiming import Case, is_claiming, is_stray, may_claim
from webhook.admission.cluster import Cluster
from webhook.admission.exempt import NO_KEYS, Exemptions
from webhook.admission.lanes import UNREADABLE, Body, Lane, lanes
from webhook.admission.patch import Operation, diff, shell
from webhook.admission.ratchet import (
    NO_ANSWERS,
    Answers,
    Version,
    forgive,
    is_same,
    lift,
)
from webhook.admission.ruleset import Ruleset, Setting, Step
from webhook.admission.verdict import ALLOWED, MALFORMED, Finding, Verdict, in_order
from webhook.exemptions.stamp import KeyRing
from webhook.exemptions.standing import Trust

Steps = tuple[Step, ...]
END_OF_TIME = 2.0e11
"""Unix time of the year 8307."""


class Review(msgspec.Struct, frozen=True):
    """A Request with its objects as JSON; old is None except on UPDATE and DELETE.

    now: Unix time, because exemptions end; without it every one has. stored: the object is in the
    cluster and nobody writes it now.
    """

    request: Request
    object: Body | None = None
    old: Body | None = None
    now: float = END_OF_TIME
    stored: bool = False


class Gate:
    """Judges reviews by a fixed ruleset. Has no state; safe to share and to swap.

    keys: for the stamps of exemptions. trust: what becomes of exemptions without a stamp.
    """

    def __init__(
        self,
        ruleset: Ruleset,
        cluster: Cluster | None = None,
        *,
        keys: KeyRing = NO_KEYS,
        trust: Trust = Trust.ASK,
    ) -> None:
        self._lanes = lanes(ruleset)
        self._excluded = ruleset.excluded_namespaces
        self._cluster = cluster
        self._exemptions = Exemptions(ruleset, cluster, keys, trust)

    def concerns(self, request: Request) -> bool:
        """Whether any policy judges requests like this one."""
        return self._lane(request) is not None

    def validate(self, review: Review, answers: Answers = NO_ANSWERS) -> Verdict:
        """Every finding on the object; for what the old object already violated, only a warning.

        answers: whether the requester has the rights of an earlier verdict's ``questions``.
        """
        request = review.request
        lane = self._lane(request)
        if lane is None or not lane.validating:
            return ALLOWED
        return self._verdict(lane, lane.validating, request, review, answers)

    def mutate(self, review: Review, answers: Answers = NO_ANSWERS) -> Verdict:
        """The patch that the mutating policies want; an object they cannot read is denied.

        Policies that judge early are asked first, because what they look for can no longer be seen
        in the validating pass. The patch also stamps exemptions; answers as for `validate`.
        """
        request = review.request
        lane = self._lane(request)
        if lane is None:
            return ALLOWED
        if lane.early:
            asked = msgspec.structs.replace(request, early=True)
            if not self._verdict(lane, lane.early, asked, review, answers).allowed:
                # The API server will not call /validate any more, so every reason is given now.
                full = self._verdict(lane, lane.validating, asked, review, answers)
                return Verdict(full.denied, (), full.errors, full.questions)
        if not lane.mutating:
            return self._stamped(lane, review, answers)
        return self._changed(lane, request, review, answers)

    def _stamped(self, lane: Lane, review: Review, answers: Answers) -> Verdict:
        """The stamps of an object that no policy changes. It is decoded only if it may claim."""
        if not may_claim(review.object):
            return ALLOWED
        try:
            view = lane.read(review.object)
            subjects = lane.resource.subjects(view)
        except UNREADABLE:
            return ALLOWED  # the validating pass says what is wrong
        patch, questions = self._stamps(lane, review, view, subjects, answers)
        return Verdict((), patch, (), questions)

    def _changed(self, lane: Lane, request: Request, review: Review, answers: Answers) -> Verdict:
        """The patch of the mutating policies, and the stamps."""
        try:
            after = lane.read(review.object)
            before, subjects = shell(after), lane.resource.subjects(after)
        except UNREADABLE as error:
            return Verdict((Finding(MALFORMED, Action.DENY, malformed(error, review.object)),))
        request = self._comparing(lane, self._placed(request), review.old)
        for step in lane.mutating:
            # Where the labels are unknown several may hold; the first is the one that needs none.
            for setting in self._settings(step, request, before)[:1]:
                try:
                    mutate(step.policy, setting, subjects, request)
                except Exception as error:  # rule 1: a policy that raises is no allow
                    finding = Finding(step.policy.id, Action.DENY, failed(error))
                    return Verdict((finding,), (), (error,))
        stamps, questions = self._stamps(lane, review, after, subjects, answers)
        patch = (*diff(before, after), *stamps)
        return Verdict((), patch, (), questions) if patch or questions else ALLOWED

    def _stamps(
        self,
        lane: Lane,
        review: Review,
        view: Any,
        subjects: tuple[Any, ...],
        answers: Answers,
    ) -> tuple[tuple[Operation, ...], tuple[Right, ...]]:
        """The operations that stamp exemptions, and the rights that are still to be known."""
        request = review.request
        if review.stored or request.subresource:
            return (), ()
        if not is_claiming(view, subjects) and not any(map(is_stray, subjects)):
            return (), ()
        case = self._case(lane, request, review, view, subjects)
        return self._exemptions.stamps(case, answers)

    def _case(
        self, lane: Lane, request: Request, review: Review, view: Any, subjects: tuple[Any, ...]
    ) -> Case:
        case = Case(request, review.now, review.stored, view, subjects)
        if request.operation != UPDATE:
            return case
        try:
            old = lane.read(review.old)
            return case._replace(old_view=old, old_subjects=lane.resource.subjects(old))
        except UNREADABLE:
            return case  # as good as new

    def _verdict(
        self, lane: Lane, steps: Steps, request: Request, review: Review, answers: Answers
    ) -> Verdict:
        """What ``steps`` find, less what the ratchet, exemptions and rights make a warning."""
        request = self._comparing(lane, self._placed(request), review.old)
        errors: list[Exception] = []
        body = review.old if request.operation == DELETE else review.object
        findings, view, subjects = self._judge(lane, steps, request, body, errors)
        claiming = is_claiming(view, subjects) and request.operation != DELETE
        if not findings and not claiming:
            return ALLOWED
        if request.operation == UPDATE and any(f.action.denies for f in findings):
            findings = self._forgiven(lane, steps, request, review, findings, view=view)
        needed: tuple[Right, ...] = ()
        if claiming:
            case = self._case(lane, request, review, view, subjects)
            refused = self._strongest_here(steps, request, view)
            findings, needed = self._exemptions.apply(case, findings, answers, refused)
        elif self._exemptions.blanket.cover(request):
            case = Case(request, review.now, review.stored, view, subjects)
            findings, needed = self._exemptions.apply(case, findings, answers, Action.OFF)
        findings, questions = lift(findings, answers)
        return Verdict(in_order(findings), (), tuple(errors), (*needed, *questions))

    def _strongest_here(self, steps: Steps, request: Request, view: Any) -> Action:
        """The strongest action that any of the policies has for this object."""
        settings = (one for step in steps for one in self._settings(step, request, view))
        return max((one.action for one in settings), key=lambda action: action.strength)

    def _forgiven(
        self,
        lane: Lane,
        steps: Steps,
        request: Request,
        review: Review,
        findings: list[Finding],
        *,
        view: Any,
    ) -> list[Finding]:
        """The findings after the ratchet: the same steps judge the old object for it."""
        old, before, _ = self._judge(lane, steps, request, review.old, [])
        hiding = any(f.violation.keys == NEVER_OLD for f in findings)
        same = hiding and is_same(Version(review.object, view), Version(review.old, before))
        return forgive(findings, old, same=same)

    def _lane(self, request: Request) -> Lane | None:
        if request.namespace in self._excluded:
            return None
        resource = request.resource
        if request.subresource:
            resource = f"{resource}/{request.subresource}"
        return self._lanes.get((request.operation, request.group, resource))

    def _placed(self, request: Request) -> Request:
        """The request with what is known of the cluster and of the namespace around it."""
        cluster, namespace = self._cluster, request.namespace
        if cluster is None:
            return request
        labels = baseline = others = None
        if request.resource == "namespaces":
            baseline = cluster.baseline(namespace)
        else:
            labels = cluster.namespace_labels(namespace) if namespace else None
        if request.resource == "pods":
            baseline = cluster.baseline(namespace)
        elif request.resource == "networkpolicies":
            others = cluster.network_policies(namespace)
        return msgspec.structs.replace(
            request,
            cluster=cluster.facts(),
            namespaceLabels=labels,
            baseline=baseline,
            otherPolicies=others,
        )

    def _comparing(self, lane: Lane, request: Request, old: Body | None) -> Request:
        """The request with the old subject, for policies that judge what has changed."""
        if not lane.compares or request.operation != UPDATE:
            return request
        try:
            before = lane.resource.subjects(lane.read(old))
        except UNREADABLE:
            return request  # as good as new
        return msgspec.structs.replace(request, old=before[0] if before else None)

    def _judge(
        self, lane: Lane, steps: Steps, request: Request, body: Body | None, errors: list[Exception]
    ) -> tuple[list[Finding], Any, tuple[Any, ...]]:
        """What the policies find, and the view and the subjects that they found it in."""
        view = None
        try:
            view = lane.read(body)
            subjects = lane.resource.subjects(view)
        except UNREADABLE as error:
            action = _strongest(steps)
            return [Finding(MALFORMED, action, malformed(error, body))] if action else [], view, ()
        findings: list[Finding] = []
        for step in steps:
            settings = self._settings(step, request, view) if step.overrides else (step.setting,)
            for setting in settings:
                if setting.action.strength:
                    apply(step.policy, setting, subjects, request, to=findings, errors=errors)
        return findings, view, subjects

    def _settings(self, step: Step, request: Request, view: Any) -> tuple[Setting, ...]:
        if not step.overrides:
            return (step.setting,)
        if request.resource == "namespaces":  # as the API server matches a namespaceSelector
            return step.settings((view.metadata and view.metadata.labels) or {})
        return step.settings(request.namespaceLabels, request.namespace)


def _strongest(steps: tuple[Step, ...]) -> Action | None:
    actions = [
        setting.action
        for step in steps
        for setting in (step.setting, *(setting for _, setting in step.overrides))
    ]
    strongest = max(actions, key=lambda action: action.strength)
    return strongest if strongest is not Action.OFF else None
