"""Looks at the cluster and judges what was seen."""

from __future__ import annotations

import asyncio

from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster, Kubeconfig
from webhook.doctor.reading import Asked, Look
from webhook.doctor.report import Report, report

USER_AGENT = "netreeve-doctor"


async def examined(kubeconfig: str | None, context: str, asked: Asked) -> Report:
    """Raises ClusterError where the cluster cannot be asked at all."""
    source = Kubeconfig(kubeconfig, context) if kubeconfig else InCluster()
    async with Connection(source, user_agent=USER_AGENT) as connection:
        try:
            return report(await Look(connection, asked).look())
        finally:
            await _end_others()


async def _end_others() -> None:
    """After a failure others still read, and would open the connection again."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
