"""Where an object claims exemptions: on itself, or on the pod templates in it.

Reads views; what a claim says is read elsewhere.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from policies.model import CREATE, Request
from policies.objects import Object, ObjectMeta
from policies.workloads import PodView
from webhook.admission.plan import Body
from webhook.admission.verdict import Finding
from webhook.exemptions.claim import EXEMPT
from webhook.exemptions.standing import Annotations

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


def is_changing(subject: Any, case: Case) -> bool:
    """Whether its annotations may be written without replacing the pods that run.

    A change to a pod template is a rollout, so it waits for one that somebody asks for.
    """
    if case.request.resource == "cronjobs" or not is_template((subject,)):
        return True
    before = next((one for one in case.old_subjects if one.key == subject.key), None)
    return before is not None and (
        before.spec != subject.spec or before.metadata != subject.metadata
    )


def metadata_path(subject: Any) -> str:
    """Where the metadata of a subject stands in its object."""
    if isinstance(subject, PodView) and not subject.is_pod:
        return f"{subject.path.removesuffix('spec')}metadata"
    return "metadata"


def covers(subject: Any, finding: Finding, case: Case) -> bool:
    """Whether a finding is about this subject; of several templates each has its own claim."""
    return len(case.subjects) == 1 or finding.violation.field.startswith(f"{subject.path}.")
