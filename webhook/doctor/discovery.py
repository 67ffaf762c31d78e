"""Which resources the API server serves, of the groups that matter here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from policies import catalogue
from webhook.cluster.connection import Connection
from webhook.cluster.lists import decode
from webhook.config import GateConfig
from webhook.doctor import rescue, views
from webhook.doctor.matching import Served
from webhook.doctor.seen import Place

AT_ONCE = 16


async def discover(
    connection: Connection, namespaces: Mapping[str, Mapping[str, str]], config: GateConfig
) -> tuple[str, Served]:
    """The version of Kubernetes, and what is served. Raises ClusterError."""
    raw = await asyncio.gather(connection.read("/version"), connection.read("/apis"))
    version = decode("/version", raw[0], views.Version)
    groups = {one.name: one for one in decode("/apis", raw[1], views.ApiGroups).groups}
    wanted = [("", "v1")]
    for name in sorted(_groups(config) & groups.keys()):
        wanted += ((name, one.version) for one in groups[name].versions)
    slots = asyncio.Semaphore(AT_ONCE)
    resources = await asyncio.gather(*(_resources(connection, slots, *one) for one in wanted))
    versions: dict[Place, tuple[str, ...]] = {}
    for (group, one), some in zip(wanted, resources, strict=True):
        for resource in some:
            versions[group, resource] = (*versions.get((group, resource), ()), one)
    return version.gitVersion, Served(namespaces, versions, version.number)


def _groups(config: GateConfig) -> set[str]:
    """Of what policies judge, of what must never be held up, and of the configuration."""
    judged = {rule.group for policy in catalogue() for rule in policy.rules}
    rescued = {one.request.group for one in rescue.rescues(None, {}, {"": ""})}
    return judged | rescued | {one.group for one in config.workloads} | {"events.k8s.io"}


async def _resources(
    connection: Connection, slots: asyncio.Semaphore, group: str, version: str
) -> list[str]:
    where = f"/apis/{group}/{version}" if group else f"/api/{version}"
    async with slots:
        found = await connection.read(where)
    return [one.name for one in decode(where, found, views.ApiResources).resources]
