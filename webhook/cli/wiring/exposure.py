"""Reads a live cluster or manifests for the exposure map."""

from __future__ import annotations

from policies.model import NOTHING_KNOWN, ClusterFacts
from policies.services.load_balancer import POLICY
from policies.services.reach import Declared
from webhook.admission.ruleset import Ruleset
from webhook.audit.baseline.read import traffic
from webhook.audit.exposure.draw import expose
from webhook.audit.exposure.manifests import gathered
from webhook.audit.exposure.model import ExposureMap
from webhook.audit.sources import Sources
from webhook.cluster.apply import path
from webhook.cluster.cache import node_facts
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster, Kubeconfig
from webhook.cluster.errors import ClusterError
from webhook.cluster.lists import Lists
from webhook.cluster.objects import Node

USER_AGENT = "netreeve-exposure"


def declared(rules: Ruleset) -> Declared:
    """What the configuration says of load balancers."""
    found = next(one.setting.params for one in rules.steps if one.policy.id == POLICY.id)
    assert isinstance(found, Declared)
    return found


async def of_cluster(
    told: Declared, kubeconfig: str | None, context: str, namespace: str
) -> ExposureMap:
    """With the rights of whoever asks; of all namespaces, whichever is meant. Raises ClusterError,
    also where that does not exist: an empty map would say that it is safe.
    """
    source = Kubeconfig(kubeconfig, context) if kubeconfig else InCluster()
    async with Connection(source, user_agent=USER_AGENT) as connection:
        lists = Lists(connection, within=namespace)
        found = await lists.all(path("v1", "nodes"), Node)
        nodes = list(map(node_facts, found or ()))
        facts = ClusterFacts(
            providers=frozenset(one.provider for one in nodes),
            nodeAddresses=frozenset().union(*(one.addresses for one in nodes)),
        )
        seen = await traffic(lists)
        if namespace and seen.namespaces and namespace not in seen.namespaces:
            raise ClusterError(f"there is no namespace {namespace!r}")
        return expose(seen, facts, told)


def of_sources(sources: Sources, told: Declared, namespace: str) -> ExposureMap:
    """namespace: of objects that name none."""
    found, unread = gathered(sources, namespace)
    return expose(found, NOTHING_KNOWN, told, unread)
