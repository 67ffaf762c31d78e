"""Reads and judges a live cluster for ``netreeve audit``, and says on a terminal how far it is."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from policies.model import User
from webhook.admission.ruleset import Ruleset
from webhook.audit.findings import Report
from webhook.audit.judged import Judged
from webhook.audit.live.scan import Wanted, audit
from webhook.cli.wiring.progress import shown
from webhook.cluster.cache import CONTROLLER_LEASE
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster, Kubeconfig
from webhook.cluster.stampkeys import stamp_keys

USER_AGENT = "netreeve-audit"


class Asked(NamedTuple):
    """namespace: "" for all. controllers: who writes the policies of baselines. now: Unix time.

    secret: namespace and name of the keys of exemption stamps, used where they may be read.
    """

    rules: Ruleset
    now: float
    namespace: str
    controllers: tuple[str, ...]
    secret: tuple[str, str]


async def answer(asked: Asked, kubeconfig: str | None, context: str) -> Report:
    """Raises ClusterError."""
    source = Kubeconfig(kubeconfig, context) if kubeconfig else InCluster()
    baseline = User(next(iter(asked.controllers), ""))
    with shown() as bar:
        async with Connection(source, user_agent=USER_AGENT) as connection:
            keys = (await stamp_keys(connection, *asked.secret)).keys
            lease = (asked.secret[0], CONTROLLER_LEASE[1])  # beside the keys
            wanted = Wanted(asked.rules, asked.now, asked.namespace, baseline, keys, lease)
            report = await audit(connection, wanted, bar.read)
            context = source.active() if isinstance(source, Kubeconfig) else ""
            judged = Judged("cluster", (), connection.address, context, asked.namespace)
            return replace(report, judged=judged)
