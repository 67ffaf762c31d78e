"""The report as one JSON document, and back: a later run is compared with it.

docs/report.schema.json is its schema, made from these structs (webhook.audit.jsonschema). Fields
are only added.
"""

from __future__ import annotations

from typing import Literal, TextIO

import msgspec

from webhook.audit.findings import Diff, Report, Result, Unreadable
from webhook.audit.judged import Judged
from webhook.jsontext import indented


class FindingsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `netreeve check` and `netreeve audit` write with `-o json`.

    judged: what the run has judged, when, and by which rules.
    summary: how many objects have each status, and how many of the allowed have findings that are
        only audited; how many problems there were, and documents that are no Kubernetes objects
        (strangers); of an audit log, patches whose outcome it does not have (unseen).
    failOn: Deny or Warn, the weakest action whose findings fail the run.
    objects: every object, in the order of the input.
    unreadable: input that could not be read, and so not judged.
    diff: what changed since the report of `--diff`; null without it.
    """

    apiVersion: Literal["netreeve.io/v1alpha1"] = "netreeve.io/v1alpha1"
    kind: Literal["FindingsReport"] = "FindingsReport"
    judged: Judged = Judged()
    summary: dict[str, int]
    failOn: Literal["Deny", "Warn"]
    objects: tuple[Result, ...]
    unreadable: tuple[Unreadable, ...]
    diff: Diff | None = None


def write(report: Report, out: TextIO) -> None:
    """Indented, in the order of the input, with a final newline."""
    out.write(indented(content(report)))


def content(report: Report) -> FindingsReport:
    """The document before it is text."""
    return FindingsReport(
        judged=report.judged,
        summary=report.summary,
        failOn="Warn" if report.failOn.value == "Warn" else "Deny",
        objects=report.results,
        unreadable=report.unreadable,
        diff=report.diff,
    )


def read(data: bytes) -> Report:
    """A report that was written by this version or an earlier one. Raises ValueError."""
    try:
        found = msgspec.json.decode(data, type=FindingsReport)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    if any(not one.id for result in found.objects for one in result.findings):
        raise ValueError("holds findings without an id: write it again with this version")
    return Report(found.objects, found.unreadable, judged=found.judged)
