"""What an update is forgiven: violations that the object had before, and what a right lifts.

Pure functions on findings; who finds them is the gate's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from policies.model import Action, Right
from policies.objects import Object, ObjectMeta
from webhook.admission.plan import UNREADABLE, Body, Lane
from webhook.admission.verdict import Finding

Answers = Mapping[Right, bool]
NO_ANSWERS: Answers = {}


def forgive(findings: list[Finding], old: list[Finding], *, same: bool) -> list[Finding]:
    """Deny becomes Warn where the old object had every key of the violation already.

    same: see `is_same`; only then are violations forgiven that hide others (NEVER_OLD).
    """
    known = {(f.policy, key) for f in old for key in f.violation.identity if key or same}
    return [
        Finding(f.policy, Action.WARN, f.violation, preexisting=True)
        if f.action is Action.DENY and all((f.policy, key) in known for key in f.violation.identity)
        else f
        for f in findings
    ]


def is_same(lane: Lane, new: Body | None, old: Body | None) -> bool:
    """Whether an update leaves all that policies read as it was, but for labels.

    Finalizers are among what they do not read, without whose removal a terminating object would
    never go. Of an object that cannot be read, everything but its metadata has to be equal.
    """
    try:
        before, after = lane.read(old), lane.read(new)
        if isinstance(before, Object) and isinstance(after, Object):
            return _without_labels(before) == _without_labels(after)
    except UNREADABLE:
        pass
    try:
        return bool(_content(new) == _content(old))
    except UNREADABLE:
        return False


def _without_labels(view: Object) -> Object:
    view.metadata = view.metadata or ObjectMeta()
    view.metadata.labels = None
    return view


def _content(body: Body | None) -> Any:
    value = msgspec.json.decode(body or b"null")
    if isinstance(value, dict):
        return {name: one for name, one in value.items() if name != "metadata"}
    return value


def lift(findings: list[Finding], answers: Answers) -> tuple[list[Finding], tuple[Right, ...]]:
    """Deny becomes Warn where the requester has the right to; the rights still to be asked for."""
    rights = [f.violation.unless for f in findings if f.action is Action.DENY]
    if not any(rights):
        return findings, ()
    lifted = [
        Finding(f.policy, Action.WARN, f.violation, lifted=True)
        if f.action is Action.DENY and f.violation.unless and answers.get(f.violation.unless)
        else f
        for f in findings
    ]
    return lifted, tuple({right: None for right in rights if right and right not in answers})
