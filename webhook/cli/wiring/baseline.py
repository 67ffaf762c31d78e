"""Reads the cluster and reports; adopts, and removes what is left over: all that is written."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import msgspec

from policies.baseline.config import BaselineConfig
from policies.network_policies.managed import BASELINE, STATUS
from webhook.audit.baseline import json, table
from webhook.audit.baseline.read import Reader
from webhook.audit.baseline.removal import removal
from webhook.audit.baseline.report import Report, obstacles, preview
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
    """baseline: its name, None for what label and configuration say. yes: do not ask.

    configured: whether the configuration was given. lease: namespace and name.
    """

    action: Literal["show", "preview", "adopt", "remove"]
    namespace: str
    config: BaselineConfig
    configured: bool
    baseline: str | None
    lease: tuple[str, str]
    output: str
    yes: bool


async def answer(asked: Asked, kubeconfig: str | None, context: str) -> int:
    """The exit code. Raises ClusterError."""
    source = Kubeconfig(kubeconfig, context) if kubeconfig else InCluster()
    async with Connection(source, user_agent=USER_AGENT) as connection:
        report = await look(asked, connection)
        if asked.action in ("show", "preview"):
            _write(asked, report)
            return report.exit_code
        if refused := _refusal(asked, report):
            _write(asked, _ended(asked, report, done=False))
            for text in refused:
                print(f"netreeve: {printable(text)}", file=sys.stderr)
            return 2 if report.unread else 1
        return await _change(asked, report, connection)


async def look(asked: Asked, connection: Connection) -> Report:
    """Everything that the action needs. Raises ClusterError."""
    reader = Reader(connection, asked.lease, datetime.now(UTC))
    try:
        ground = await reader.ground(asked.namespace, asked.config)
    except NotFoundError as error:
        raise ClusterError(f"there is no namespace {asked.namespace!r}") from error
    found = standing(asked.config, ground, asked.baseline)
    said = written(found.namespace.annotations.get(STATUS))
    report = Report(found, _shown(said) if said.state else {})
    if asked.action == "show":
        return report
    if asked.action == "remove":
        traffic = await reader.traffic()
        unread = tuple(sorted({*found.unread, *traffic.unread}))
        going = removal(asked.config, found, ground, traffic)
        return report._replace(standing=found._replace(unread=unread), removal=going)
    report = report._replace(standing=found.as_adopted())
    if found.known and not found.excluded:
        seen = preview(asked.config, found, ground, await reader.traffic())
        return report._replace(preview=seen)
    return report


def _shown(said: Written) -> dict[str, str]:
    return {
        "state": said.state,
        "reason": said.reason,
        "message": said.message,
        "since": said.since,
    }


def _refusal(asked: Asked, report: Report) -> list[str]:
    found = report.standing
    if asked.action == "remove":
        return _no_removal(asked, report)
    if report.unread:
        return ["not adopted: what could not be read might be cut off; ask for the rights to it"]
    if not found.known:
        return [f"not adopted: no baseline is named {found.baseline!r}"]
    return [f"not adopted: {text}" for text in obstacles(found)]


def _no_removal(asked: Asked, report: Report) -> list[str]:
    found = report.standing
    if report.unread:
        return ["nothing removed: what could not be read might be opened; ask for the rights to it"]
    if found.label is not None and not asked.configured:
        return [
            f"nothing removed: {asked.namespace} is under {found.label}, and without the "
            "configuration of the cluster nobody can tell what of it is left over: give --config"
        ]
    return []


def _ended(asked: Asked, report: Report, *, done: bool) -> Report:
    return (
        report._replace(removed=done) if asked.action == "remove" else report._replace(adopted=done)
    )


async def _change(asked: Asked, report: Report, connection: Connection) -> int:
    """Ask, do it, and say so."""
    if nothing := _nothing_to_do(asked, report):
        _write(asked, _ended(asked, report, done=True))
        print(nothing, file=sys.stderr)
        return 0
    question, change, done, undone = _texts(asked, report)
    if not asked.yes:
        _write(asked, report)
        if not _confirmed(question):
            print(f"netreeve: {undone}", file=sys.stderr)
            return 1
    await change(asked, report, connection)
    if asked.yes:
        _write(asked, _ended(asked, report, done=True))
    print(done, file=sys.stderr)
    return 0


def _nothing_to_do(asked: Asked, report: Report) -> str:
    found, going = report.standing, report.removal
    if going is None:
        return f"{asked.namespace} is under {found.label} already" if found.label else ""
    return f"nothing is left over in {asked.namespace}" if going.nothing else ""


class _Texts(NamedTuple):
    question: str
    change: Callable[[Asked, Report, Connection], Awaitable[None]]
    done: str
    undone: str


def _texts(asked: Asked, report: Report) -> _Texts:
    name, baseline, going = asked.namespace, report.standing.baseline, report.removal
    if going is None:
        return _Texts(
            f"Put {name} under the baseline {baseline}?",
            _adopt,
            f"{name} is now under {baseline}; netreeve baseline show says how it is",
            "not adopted",
        )
    number = len(going.policies)
    count = f"{number} NetworkPolic{'y' if number == 1 else 'ies'}"
    label = " and the label" if going.label is not None else ""
    return _Texts(
        f"Delete {count}{label} of {name} for good?",
        _remove,
        f"{count}{label} of {name} deleted",
        "nothing removed",
    )


def _confirmed(question: str) -> bool:
    sys.stderr.write(f"\n{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def _adopt(asked: Asked, report: Report, connection: Connection) -> None:
    await _label(report.standing, {"labels": {BASELINE: report.standing.baseline}}, connection)


async def _remove(asked: Asked, report: Report, connection: Connection) -> None:
    """The label first: without it the gate holds no pod back for what is being deleted."""
    found, going = report.standing, report.removal
    assert going is not None
    if going.label is not None:
        nothing = {"labels": {BASELINE: None}, "annotations": {STATUS: None}}
        await _label(found, nothing, connection)
    for one in going.policies:
        where = path("networking.k8s.io/v1", "networkpolicies", asked.namespace, one.name)
        body = msgspec.json.encode({"preconditions": {"uid": one.uid}})
        with suppress(NotFoundError):
            await connection.write("DELETE", where, body)


async def _label(
    found: Standing, metadata: Mapping[str, Mapping[str, str | None]], connection: Connection
) -> None:
    """On this very namespace: one that was made anew meanwhile is another."""
    where = path("v1", "namespaces", name=found.namespace.name)
    patch = {"metadata": {"uid": found.namespace.uid, **metadata}}
    await Writer(connection, manager="netreeve").merge_patch(where, patch)


def _write(asked: Asked, report: Report) -> None:
    _FORMATS[asked.output](report, sys.stdout)
