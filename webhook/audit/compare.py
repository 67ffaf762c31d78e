"""Two reports beside each other: which findings are new, which are gone, which are still there.

A finding is found again by its identity. One object may stand in several files: then as many of
its findings are known as there were, those in the same file first.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import count

from msgspec.structs import replace

from webhook.audit.findings import Change, Diff, Found, Report, Result, status_of
from webhook.audit.scope import scope

Place = tuple[Result, Found]


def with_baseline(report: Report, baseline: Report) -> Report:
    """The report with everything marked as pre-existing that the baseline has."""
    known = {at for at, _ in _pairs(list(baseline.each()), list(report.each()))}
    at = count()
    results = tuple(
        _with(result, tuple(_marked(found, next(at) in known) for found in result.findings))
        for result in report.results
    )
    return replace(report, results=results)


def _marked(found: Found, known: bool) -> Found:
    return replace(found, preexisting=True) if known else found


def _with(result: Result, findings: tuple[Found, ...]) -> Result:
    """What was judged has the status that its findings give it."""
    return replace(result, findings=findings, status=status_of(findings)) if findings else result


def with_diff(report: Report, old: Report) -> Report:
    """The report with what changed since ``old``."""
    before, now = list(old.each()), list(report.each())
    pairs = _pairs(before, now)
    still, found_again = {at for at, _ in pairs}, {at for _, at in pairs}
    gone = [place for at, place in enumerate(before) if at not in found_again]
    looked_at = scope(report)
    diff = Diff(
        new=tuple(_change(*place) for at, place in enumerate(now) if at not in still),
        fixed=tuple(_change(*place) for place in gone if looked_at(place[0])),
        still=tuple(_change(*place) for at, place in enumerate(now) if at in still),
        notSeen=tuple(_change(*place) for place in gone if not looked_at(place[0])),
    )
    return replace(report, diff=diff)


def _pairs(old: Sequence[Place], new: Sequence[Place]) -> list[tuple[int, int]]:
    """Indexes in ``new`` and ``old`` of what is the same finding, each at most once."""
    free_new, free_old = list(range(len(new))), list(range(len(old)))
    pairs: list[tuple[int, int]] = []
    for key in (_in_file, _anywhere):
        waiting: dict[Hashable, list[int]] = {}
        for at in reversed(free_old):
            waiting.setdefault(key(old[at]), []).append(at)
        found = [(at, same.pop()) for at in free_new if (same := waiting.get(key(new[at])))]
        pairs += found
        free_new = sorted(set(free_new) - {at for at, _ in found})
        free_old = sorted(set(free_old) - {at for _, at in found})
    return pairs


def _in_file(place: Place) -> Hashable:
    return place[0].file, place[1].id


def _anywhere(place: Place) -> Hashable:
    return place[1].id


def _change(result: Result, found: Found) -> Change:
    return Change(
        file=result.file,
        apiVersion=result.apiVersion,
        kind=result.kind,
        namespace=result.namespace,
        name=result.name,
        finding=found,
    )
