"""What an update is forgiven: violations that the object had before, and what a right lifts.

Pure functions on findings; who finds them is the gate's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from policies.model import Action, Right
from policies.objects import Object, ObjectMeta
from webhook.admission.lanes import UNREADABLE, Body
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


class Version(NamedTuple):
    """An object as it is written and as policies see it; view: None if it cannot be read."""

    body: Body | None
    view: Any


def is_same(new: Version, old: Version) -> bool:
    """Whether an update leaves all that policies read as it was, but for labels.

    Finalizers are among what they do not read, without whose removal a terminating object would
    never go. Of an object that cannot be read, everything but its metadata has to be equal.
    """
    if isinstance(new.view, Object) and isinstance(old.view, Object):
        return _without_labels(new.view) == _without_labels(old.view)
    if bytes(new.body or b"") == bytes(old.body or b""):
        return True
    try:
        return _content(new.body) == _content(old.body)
    except UNREADABLE:
        return False


def _without_labels(view: Object) -> Object:
    return replace(view, metadata=replace(view.metadata or ObjectMeta(), labels=None))


def _content(body: Body | None) -> dict[str, bytes]:
    """Its fields as they are written, which the API server does the same way every time.

    Megabytes of JSON are not decoded for this: hundreds of thousands of objects take 200 ms.
    """
    fields = _fields(body or b"{}")
    return {name: bytes(one) for name, one in fields.items() if name != "metadata"}


_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def lift(findings: list[Finding], answers: Answers) -> tuple[list[Finding], tuple[Right, ...]]:
    """Deny becomes Warn where the requester has the right to; the rights still to be asked for."""
    rights = [f.violation.unless for f in findings if f.violation.unless and f.action.denies]
    if not rights:
        return findings, ()
    lifted = [
        Finding(f.policy, Action.WARN, f.violation, lifted=True)
        if f.action is Action.DENY and f.violation.unless and answers.get(f.violation.unless)
        else f
        for f in findings
    ]
    return lifted, tuple({right: None for right in rights if right not in answers})
