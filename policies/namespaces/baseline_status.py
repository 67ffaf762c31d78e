"""baseline-status: only the controller says how a namespace stands to its baseline.

Field: metadata.annotations[netreeve.io/baseline-status] of a Namespace, on CREATE and UPDATE.
What anybody else writes there is put back as it was, like the status of other kinds. When the label
netreeve.io/baseline is changed or removed, this annotation is removed with it: baseline-guard has
allowed that change, and the missing annotation tells the controller not to restore the label.
"""

from __future__ import annotations

from policies.baseline.config import BaselineConfig
from policies.model import CREATE, UPDATE, Action, Policy, Request, Rule
from policies.network_policies.managed import BASELINE, STATUS
from policies.objects import Labels, Namespace


def mutate(namespace: Namespace, request: Request, config: BaselineConfig) -> None:
    meta, old = namespace.metadata, request.old
    if meta is None or meta.deletionTimestamp or request.user.username in config.controllers:
        return
    before = old.metadata if isinstance(old, Namespace) else None
    was, stated = (before.labels, before.annotations) if before else (None, None)
    label, kept = _label(was), (stated or {}).get(STATUS)
    if label is not None and label != _label(meta.labels):
        kept = None
    others = {key: text for key, text in (meta.annotations or {}).items() if key != STATUS}
    if (meta.annotations or {}).get(STATUS) != kept:
        meta.annotations = others if kept is None else {**others, STATUS: kept}


def _label(labels: Labels | None) -> str | None:
    return (labels or {}).get(BASELINE)


POLICY = Policy(
    id="baseline-status",
    title="Only the controller writes the baseline status of a namespace",
    why=(
        "The annotation netreeve.io/baseline-status says how a namespace stands to its baseline, "
        "and which policies it had. By it the controller knows what to restore when policies were "
        "deleted, or the label changed, while the gate was down. When somebody with the right to "
        "do so changes the label, the annotation is removed, and the label stays changed."
    ),
    fix="Nothing needs doing: what others write there is put back.",
    rules=(Rule("", "namespaces", frozenset({CREATE, UPDATE})),),
    standard=Action.MUTATE,
    strict=Action.MUTATE,
    params=BaselineConfig,
    compares=True,
    mutate=mutate,
)
