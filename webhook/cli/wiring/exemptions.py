"""Reads a live cluster for ``netreeve exemptions``, and asks about those who granted them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from policies.model import User
from webhook.admission.ruleset import Ruleset
from webhook.audit.exemptions import Gathering, Listed
from webhook.audit.live.scan import Wanted, audit
from webhook.audit.reports import exemptions as reports
from webhook.audit.reports.words import printable
from webhook.cli.wiring.progress import shown
from webhook.cluster.access import Access
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster, Kubeconfig
from webhook.cluster.stampkeys import stamp_keys
from webhook.exemptions.stamp import EVERYBODY

USER_AGENT = "netreeve-exemptions"
SECONDS = 10.0
_FORMATS = {"table": reports.table, "json": reports.json}


class Asked(NamedTuple):
    """namespace: "" for all. now: Unix time. secret: namespace and name of the stamps' keys."""

    rules: Ruleset
    now: float
    namespace: str
    controllers: tuple[str, ...]
    secret: tuple[str, str]
    recheck: bool
    output: str


async def answer(asked: Asked, kubeconfig: str | None, context: str) -> int:
    """The exit code. Raises ClusterError."""
    source = Kubeconfig(kubeconfig, context) if kubeconfig else InCluster()
    with shown() as bar:
        async with Connection(source, user_agent=USER_AGENT) as connection:
            keys, missing = await stamp_keys(connection, *asked.secret)
            baseline = User(next(iter(asked.controllers), ""))
            wanted = Wanted(asked.rules, asked.now, asked.namespace, baseline, keys)
            gathering = Gathering(asked.rules, keys, asked.now)
            report = await audit(connection, wanted, bar.read, gathering)
            listed = gathering.listed()
            if asked.recheck:
                bar.say("Asking about those who granted them")
                listed = tuple(await _rechecked(connection, listed))
    if missing:
        print(f"netreeve: {printable(missing)}: stamps are not verified", file=sys.stderr)
    _FORMATS[asked.output]([one.exemption for one in listed], report.unreadable, sys.stdout)
    return 2 if report.unreadable else 0


async def _rechecked(connection: Connection, listed: Iterable[Listed]) -> list[Listed]:
    access = Access(connection, seconds=SECONDS)
    found = [
        one._replace(
            exemption=msgspec.structs.replace(one.exemption, lost=await _lost(access, one))
        )
        for one in listed
    ]
    if access.failure:
        print(f"netreeve: not everything could be asked: {access.failure}", file=sys.stderr)
    return found


async def _lost(access: Access, one: Listed) -> tuple[str, ...] | None:
    """What the grantor could not grant any more; None where that cannot be known."""
    exemption, stamp = one.exemption, one.stamp
    if exemption.state not in ("granted", "not verified") or stamp is None or stamp.groups is None:
        return None
    user = User(stamp.by, "", (*stamp.groups, EVERYBODY))
    answers = await access.allowed(user, one.rights)
    if len(answers) < len(one.rights):
        return None
    return tuple(right.name or "*" for right in one.rights if not answers[right])
