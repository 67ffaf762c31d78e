"""The exposure map as the page reads it: rows of texts, and a matrix of small numbers."""

from __future__ import annotations

from typing import Any

from webhook.audit.exposure.model import Behind, ExposureMap, Isolation, Pair, Way, Workload
from webhook.audit.reports.words import printable


def exposed(found: ExposureMap) -> dict[str, Any]:
    """matrix: a row for each source; its numbers are positions in ``reaches``."""
    names = sorted({one.source for one in found.pairs})
    reaches: dict[tuple[Any, ...], int] = {}
    numbers = {
        (one.source, one.target): reaches.setdefault(_reach(one), len(reaches))
        for one in found.pairs
    }
    return {
        "ways": list(map(_way, found.ways)),
        "workloads": list(map(_workload, found.workloads)),
        "names": list(map(printable, names)),
        "matrix": [[numbers[source, target] for target in names] for source in names],
        "reaches": [list(one) for one in reaches],
    }


def _reach(pair: Pair) -> tuple[Any, ...]:
    return pair.reach, pair.ports, pair.targets, pair.of


def _texts(texts: tuple[str, ...]) -> list[str]:
    return list(map(printable, texts))


def _way(way: Way) -> list[Any]:
    return [
        way.kind,
        printable(way.object),
        printable(way.namespace),
        way.reach,
        _texts(way.opens),
        _texts(way.addresses),
        _texts(way.sources),
        _texts(way.via),
        list(map(_behind, way.behind)),
    ]


def _behind(one: Behind) -> list[Any]:
    return [printable(one.target), one.port, one.verdict, _texts(one.policies), list(one.networks)]


def _workload(one: Workload) -> list[Any]:
    return [
        printable(one.namespace),
        f"{one.kind} {printable(one.name)}",
        int(one.hostNetwork),
        _isolation(one.ingress),
        _isolation(one.egress),
    ]


def _isolation(one: Isolation | None) -> list[Any] | None:
    return [int(one.isolated), _texts(one.policies)] if one else None
