"""Where an object claims exemptions: on itself, or on the pod templates in it.

Reads views; what a claim says is read elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec

from policies.model import CREATE, Action, Request
from policies.objects import Object, ObjectMeta
from policies.workloads import PodView
from webhook.admission.patch import Operation, escape
from webhook.admission.plan import Body
from webhook.admission.verdict import Finding
from webhook.exemptions.claim import EXEMPT, STAMP
from webhook.exemptions.owners import owner
from webhook.exemptions.standing import Annotations, Origin, Standing

_MENTION = EXEMPT.encode()


class Case(NamedTuple):
    """An object to be judged. now: Unix time. stored: it is in the cluster and nobody writes it.

    view: of the whole object; subjects: what policies judge in it, and those of its old version.
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
    """Whether the JSON of an object mentions an exemption; one that is escaped gets no stamp."""
    return body is not None and _MENTION in bytes(body)


def is_claiming(view: Any, subjects: tuple[Any, ...]) -> bool:
    """Whether an object claims an exemption anywhere."""
    for one in subjects:
        meta = one.metadata
        if meta is not None and meta.annotations and EXEMPT in meta.annotations:
            return True
    return is_template(subjects) and EXEMPT in annotations_of(meta_of(view))


def meta_of(obj: Any) -> ObjectMeta | None:
    """Of an object, a subject, or a custom object as it was decoded."""
    if isinstance(obj, dict):
        try:
            return msgspec.convert(obj.get("metadata") or {}, ObjectMeta)
        except msgspec.ValidationError:
            return None
    return obj.metadata if isinstance(obj, (Object, PodView)) else None


def annotations_of(meta: ObjectMeta | None) -> Annotations:
    return (meta and meta.annotations) or {}


def key_of(subject: Any) -> str:
    """Tells the subjects of an object apart, in its old version as well."""
    return subject.key if isinstance(subject, PodView) else ""


def is_template(subjects: tuple[Any, ...]) -> bool:
    """Whether the subjects are pod templates in an object, and not the object."""
    return bool(subjects) and isinstance(subjects[0], PodView) and not subjects[0].is_pod


def is_changing(subject: Any, before: Any, case: Case) -> bool:
    """Whether its annotations may be written without replacing the pods that run.

    A change to a pod template is a rollout, so it waits for one that somebody asks for.
    before: the subject as it was, None for a new one.
    """
    if case.request.resource == "cronjobs" or not is_template((subject,)):
        return True
    return before is not None and (
        before.spec != subject.spec or before.metadata != subject.metadata
    )


def is_compared(case: Case) -> bool:
    """A ReplicaSet whose owner compares its template with its own: of another it makes one more."""
    return case.request.resource == "replicasets" and owner(meta_of(case.view)) is not None


def metadata_path(subject: Any) -> str:
    """Where the metadata of a subject stands in its object."""
    if isinstance(subject, PodView) and not subject.is_pod:
        return f"{subject.path.removesuffix('spec')}metadata"
    return "metadata"


def about(finding: Finding, places: Collection[str]) -> str:
    """Which of the metadata of several templates belongs to a finding: each has its own claim.

    places: the `metadata_path` of every subject. "" where it is about none of them.
    """
    if len(places) == 1:
        return next(iter(places))
    field = finding.violation.field
    end = len(field)
    while (end := field.rfind(".", 0, end)) > 0:
        if (place := f"{field[:end]}.metadata") in places:
            return place
    return ""


def writing(subject: Any, text: str | None) -> list[Operation]:
    """What makes a stamp out of a text: "" removes it, None leaves it.

    The annotations are there, since a claim is among them.
    """
    templated = isinstance(subject, PodView) and not subject.is_pod
    steps = (*(subject.way if templated else ()), "metadata", "annotations", STAMP)
    path = "".join(f"/{escape(step)}" for step in steps)
    had = annotations_of(subject.metadata).get(STAMP)
    if text:
        return [{"op": "add", "path": path, "value": text}] if text != had else []
    return [{"op": "remove", "path": path}] if text == "" and had is not None else []


def moves(found: Standing, finding: Finding, case: Case) -> bool:
    """Whether somebody puts a violation under an exemption that was granted for others.

    Also where something else exempts the object now: when that ends, its pods would carry this one.
    A controller makes what it makes from a template in which it was granted; and what is stored
    nobody writes at this moment.
    """
    return (
        found.origin in (Origin.KEPT, Origin.NARROWED)
        and finding.action is Action.DENY
        and not case.stored
        and not found.counts_until(case.now)
    )
