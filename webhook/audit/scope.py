"""What a run has looked at: whether it would have seen an object of an earlier report again.

What is not found any more is corrected only where somebody has looked. Reads reports, and nothing
that they are about.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import PurePath

from policies.resources import BUILT_IN
from webhook.audit.findings import Report, Result
from webhook.audit.manifests import STDIN

_RESOURCES = {(one.group, one.kind): one.resource for one in BUILT_IN}


def scope(report: Report) -> Callable[[Result], bool]:
    """Whether an object of another report was in the files, or the part of a cluster, of this one,
    and all of that could be read."""
    return _Cluster(report) if report.judged.source == "cluster" else _Files(report)


class _Files:
    """Paths of relative files are taken from the working directory, as in the run itself."""

    def __init__(self, report: Report) -> None:
        self._paths = report.judged.paths
        self._unread = [one.input or one.file for one in report.unreadable]

    def __call__(self, result: Result) -> bool:
        place = result.input or result.file
        if not place:
            return False
        return _holds(self._paths, place) and not _holds(self._unread, place)


def _holds(paths: list[str] | tuple[str, ...], place: str) -> bool:
    return any(
        path == place
        or (STDIN not in (path, place) and PurePath(_whole(place)).is_relative_to(_whole(path)))
        for path in paths
    )


_whole = os.path.abspath


class _Cluster:
    def __init__(self, report: Report) -> None:
        self._namespace = report.judged.namespace
        self._unread = {tuple(one.file.partition(".")[::2]) for one in report.unreadable}
        """(resource, group)"""
        self._groups = {group for _, group in self._unread}

    def __call__(self, result: Result) -> bool:
        if result.file or not self._is_inside(result):
            return False
        group = result.apiVersion.rpartition("/")[0]
        resource = _RESOURCES.get((group, result.kind))
        if resource is None:  # a custom kind, whose plural nobody knows here
            return group not in self._groups
        return (resource, group) not in self._unread

    def _is_inside(self, result: Result) -> bool:
        is_namespace = not result.namespace and result.kind == "Namespace"
        return self._namespace in ("", result.name if is_namespace else result.namespace)
