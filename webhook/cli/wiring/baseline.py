"""Reads the cluster, reports, and adopts: the one write of ``netreeve baseline``."""

from __future__ import annotations

import sys
from typing import Literal, NamedTuple

from policies.baseline.config import BaselineConfig
from policies.network_policies.managed import BASELINE, STATUS
from webhook.audit.baseline import json, table
from webhook.audit.baseline.read import Reader
from webhook.audit.baseline.report import Preview, Report, obstacles, preview
from webhook.audit.baseline.standing import Standing, standing
from webhook.audit.reports.words import printable
from webhook.cluster.apply import Writer, path
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster, Kubeconfig
from webhook.cluster.errors import ClusterError, NotFoundError
from webhook.controller.written import Written, written

USER_AGENT = "netreeve-baseline"
_FORMATS = {"table": table.write, "json": json.write}


class Asked(NamedTuple):
    """baseline: its name, None for what label and configuration say. yes: do not ask."""

    action: Literal["show", "preview", "adopt"]
    namespace: str
    config: BaselineConfig
    baseline: str | None
    output: str
    yes: bool


async def answer(asked: Asked, kubeconfig: str | None, context: str) -> int:
    """The exit code. Raises ClusterError."""
    source = Kubeconfig(kubeconfig, context) if kubeconfig else InCluster()
    async with Connection(source, user_agent=USER_AGENT) as connection:
        report = await look(asked, connection)
        if asked.action != "adopt":
            _write(asked, report)
            return report.exit_code
        if refused := _refusal(report):
            _write(asked, report._replace(adopted=False))
            for text in refused:
                print(f"netreeve: {printable(text)}", file=sys.stderr)
            return 2 if report.unread else 1
        return await _adopt(asked, report, connection)


async def look(asked: Asked, connection: Connection) -> Report:
    """Everything that the action needs. Raises ClusterError."""
    reader = Reader(connection)
    try:
        ground = await reader.ground(asked.namespace, asked.config)
    except NotFoundError as error:
        raise ClusterError(f"there is no namespace {asked.namespace!r}") from error
    found = standing(asked.config, ground, asked.baseline)
    seen: Preview | None = None
    if asked.action != "show" and found.known:
        seen = preview(asked.config, found, ground, await reader.traffic())
    said = written(found.namespace.annotations.get(STATUS))
    return Report(found, _shown(said) if said.state else {}, seen)


def _shown(said: Written) -> dict[str, str]:
    return {
        "state": said.state,
        "reason": said.reason,
        "message": said.message,
        "since": said.since,
    }


def _refusal(report: Report) -> list[str]:
    found = report.standing
    if report.unread:
        return ["not adopted: what could not be read might be cut off; ask for the rights to it"]
    if not found.known:
        return [f"not adopted: no baseline is named {found.baseline!r}"]
    return [f"not adopted: {text}" for text in obstacles(found)]


async def _adopt(asked: Asked, report: Report, connection: Connection) -> int:
    found = report.standing
    if found.label is not None:
        _write(asked, report._replace(adopted=True))
        print(f"{asked.namespace} is under {found.label} already", file=sys.stderr)
        return 0
    if not asked.yes:
        _write(asked, report)
        if not _confirmed(found):
            print("netreeve: not adopted", file=sys.stderr)
            return 1
    await _label(found, connection)
    if asked.yes:
        _write(asked, report._replace(adopted=True))
    text = f"{asked.namespace} is now under {found.baseline}; netreeve baseline show says how it is"
    print(text, file=sys.stderr)
    return 0


def _confirmed(found: Standing) -> bool:
    question = f"\nPut {found.namespace.name} under the baseline {found.baseline}? [y/N] "
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def _label(found: Standing, connection: Connection) -> None:
    """On this very namespace: one that was made anew meanwhile is another."""
    metadata = {"uid": found.namespace.uid, "labels": {BASELINE: found.baseline}}
    where = path("v1", "namespaces", name=found.namespace.name)
    await Writer(connection, manager="netreeve").merge_patch(where, {"metadata": metadata})


def _write(asked: Asked, report: Report) -> None:
    _FORMATS[asked.output](report, sys.stdout)
