"""Where an object claims exemptions: on itself, or on the pod templates in it.

Reads views; what a claim says is read elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import msgspec

from policies.model import CREATE, Action, Request
from policies.objects import Object, ObjectMeta
from policies.workloads import PodView
from webhook.admission.lanes import Body
from webhook.admission.patch import Operation, escape
from webhook.admission.verdict import Finding
from webhook.exemptions.claim import EXEMPT, STAMP
from webhook.exemptions.owners import owner
from webhook.exemptions.standing import Annotations, Origin, Standing

_MENTION = EXEMPT.encode()


class Case(NamedTuple):
    """An object whose exemptions are to be judged.

    now: Unix time. stored: the object is in the cluster already and nobody is writing it.
    view: the whole object, as it was decoded; subjects: what policies judge in it.
    old_view, old_subjects: the same of its version before an UPDATE.
    """

    request: Request
    now: float
    stored: bool
    view: Any
    subjects: tuple[Any, ...]
    old_view: Any = None
    old_subjects: tuple[Any, ...] = ()

    @property
    def created(self) -> bool:
        return self.request.operation == CREATE and not self.stored

    @property
    def namespace(self) -> str:
        """Where the right to exempt is needed; "" for a Namespace's own exemption."""
        return "" if self.request.resource == "namespaces" else self.request.namespace


def may_claim(body: Body | None) -> bool:
    """Whether the JSON of an object contains the annotation, so that decoding it is worthwhile.

    A key that is written with JSON escapes is not found, and so gets no stamp.
    """
    return body is not None and _MENTION in bytes(body)


def is_claiming(view: Any, subjects: tuple[Any, ...]) -> bool:
    """Whether an object claims an exemption anywhere."""
    for one in subjects:
        meta = one.metadata
        if meta is not None and meta.annotations and EXEMPT in meta.annotations:
            return True
    return is_template(subjects) and EXEMPT in annotations_of(meta_of(view))


def is_stray(subject: Any) -> bool:
    """Whether it carries a stamp without a claim, which proves nothing."""
    annotations = annotations_of(subject.metadata)
    return STAMP in annotations and EXEMPT not in annotations


def meta_of(obj: Any) -> ObjectMeta | None:
    """The metadata of a view, of a subject, or of a custom object (decoded as a dict)."""
    if isinstance(obj, dict):
        try:
            return msgspec.convert(obj.get("metadata") or {}, ObjectMeta)
        except msgspec.ValidationError:
            return None
    return obj.metadata if isinstance(obj, (Object, PodView)) else None


def annotations_of(meta: ObjectMeta | None) -> Annotations:
    return (meta and meta.annotations) or {}


def key_of(subject: Any) -> str:
    """Identifies a subject among those of its object, and finds it again in the old version."""
    return subject.key if isinstance(subject, PodView) else ""


def is_template(subjects: tuple[Any, ...]) -> bool:
    """Whether the subjects are pod templates inside the object, and not the object itself."""
    return bool(subjects) and isinstance(subjects[0], PodView) and not subjects[0].is_pod


def may_restamp(subject: Any, before: Any, case: Case) -> bool:
    """Whether a stamp may be written anew without a rollout that nobody asked for.

    Any change to a pod template replaces the running pods, so a template is only stamped together
    with a change of its own. before: the subject as it was, None for a new one.
    """
    if case.request.resource == "cronjobs" or not is_template((subject,)):
        return True
    return before is not None and (
        before.spec != subject.spec or before.metadata != subject.metadata
    )


def is_compared_by_owner(case: Case) -> bool:
    """Whether this is a ReplicaSet with an owner, so that a stamp must not be written into it.

    A Deployment looks for the ReplicaSet whose template equals its own. One that differs by a stamp
    would not be found, and another ReplicaSet made.
    """
    return case.request.resource == "replicasets" and owner(meta_of(case.view)) is not None


def metadata_path(subject: Any) -> str:
    """Where the metadata of a subject stands in its object."""
    if isinstance(subject, PodView) and not subject.is_pod:
        return f"{subject.path.removesuffix('spec')}metadata"
    return "metadata"


def place_of(finding: Finding, places: Collection[str]) -> str:
    """The path of the metadata whose claim a finding falls under: each template has its own.

    places: the `metadata_path` of every subject. "" when the finding belongs to none of them.
    """
    if len(places) == 1:
        return next(iter(places))
    field = finding.violation.field
    end = len(field)
    while (end := field.rfind(".", 0, end)) > 0:
        if (place := f"{field[:end]}.metadata") in places:
            return place
    return ""


def stamp_patch(subject: Any, text: str | None) -> list[Operation]:
    """The operations that write a stamp: "" removes it, None leaves it as it is.

    The annotations are known to exist, since the claim is one of them.
    """
    templated = isinstance(subject, PodView) and not subject.is_pod
    steps = (*(subject.way if templated else ()), "metadata", "annotations", STAMP)
    path = "".join(f"/{escape(step)}" for step in steps)
    had = annotations_of(subject.metadata).get(STAMP)
    if text:
        return [{"op": "add", "path": path, "value": text}] if text != had else []
    return [{"op": "remove", "path": path}] if text == "" and had is not None else []


def strays(case: Case) -> Iterator[Operation]:
    """What removes stamps that stand alone: their claim is gone, or somebody wrote them.

    That of a template only together with a change of its own, as in `may_restamp`.
    """
    before = {key_of(one): one for one in case.old_subjects}
    for one in case.subjects:
        if is_stray(one) and (case.created or may_restamp(one, before.get(key_of(one)), case)):
            yield from stamp_patch(one, "")


def adds_violation(found: Standing, finding: Finding, case: Case) -> bool:
    """Whether this update adds a violation to an object whose exemption was granted without it.

    That holds also while something else exempts the object: when that ends, its pods would still
    carry this exemption. Not so for what a controller creates, whose template was judged when the
    exemption was granted, nor for stored objects, which nobody is writing.
    """
    return (
        found.origin in (Origin.KEPT, Origin.NARROWED)
        and finding.action is Action.DENY
        and not case.stored
        and not found.counts_until(case.now)
    )
