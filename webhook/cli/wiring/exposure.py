"""Reads a live cluster for the exposure map, with the rights of whoever asks."""

from __future__ import annotations

from policies.model import ClusterFacts
from policies.services.reach import Declared
from webhook.audit.baseline.read import traffic
from webhook.audit.exposure import expose
from webhook.audit.exposure.model import ExposureMap
from webhook.cluster.apply import path
from webhook.cluster.cache import node_facts
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster, Kubeconfig
from webhook.cluster.lists import Lists
from webhook.cluster.objects import Node

USER_AGENT = "netreeve-exposure"


async def answer(declared: Declared, kubeconfig: str | None, context: str) -> ExposureMap:
    """Raises ClusterError."""
    source = Kubeconfig(kubeconfig, context) if kubeconfig else InCluster()
    async with Connection(source, user_agent=USER_AGENT) as connection:
        lists = Lists(connection)
        nodes = [node_facts(one) for one in await lists.all(path("v1", "nodes"), Node) or ()]
        facts = ClusterFacts(
            providers=frozenset(one.provider for one in nodes),
            nodeAddresses=frozenset().union(*(one.addresses for one in nodes)),
        )
        return expose(await traffic(lists), facts, declared)
