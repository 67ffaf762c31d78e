"""What the gate asks of the live cluster, answered from memory: implements `gate.Cluster`.

Reads, and needs no more than list and watch on namespaces and nodes (core group). Without the
right to nodes the gate works on: providers and node addresses are then unknown, which policies
take for the worse case. Decides nothing, and never asks the API server while a review waits.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Collection, Mapping

import msgspec

from policies.model import NOTHING_KNOWN, ClusterFacts
from webhook.cluster.connection import Connection
from webhook.cluster.objects import Namespace, Node
from webhook.cluster.reflector import Reflector

REACHABLE = frozenset({"InternalIP", "ExternalIP"})


class NodeFacts(msgspec.Struct, frozen=True, gc=False):
    """What one node adds to the ClusterFacts; most updates of a node change nothing of it."""

    provider: str
    addresses: tuple[str, ...]


class ClusterCache:
    """Snapshots of namespaces and nodes, kept up to date by `run`; usable from the start."""

    def __init__(self, connection: Connection) -> None:
        self.namespaces = Reflector(connection, "/api/v1/namespaces", Namespace, _labels)
        self.nodes = Reflector(connection, "/api/v1/nodes", Node, node_facts)
        self.nodes.subscribe(self._nodes_changed)
        self._facts = NOTHING_KNOWN

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """The labels of a namespace; None when it is not known.

        It is not known either in the moment after its creation, when a pod may already be
        judged that the watch has not caught up with: the caller takes the strictest answer.
        """
        return self.namespaces.items.get(namespace)

    def facts(self) -> ClusterFacts:
        """Of all nodes; computed when they change, so that asking costs nothing."""
        return self._facts

    @property
    def synced(self) -> bool:
        """All namespaces are known, and all nodes unless RBAC keeps them from us. Stays true."""
        return self.namespaces.synced and self.nodes.settled

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.namespaces.run())
            group.create_task(self.nodes.run())

    def _nodes_changed(self, keys: Collection[str]) -> None:
        nodes = self.nodes.items.values()
        self._facts = ClusterFacts(
            providers=frozenset(node.provider for node in nodes if node.provider),
            nodeAddresses=frozenset().union(*(node.addresses for node in nodes)),
        )


def node_facts(node: Node) -> NodeFacts:
    """The prefix of ``spec.providerID`` before ``://``, and InternalIP and ExternalIP."""
    identity = (node.spec and node.spec.providerID) or ""
    provider, separator, _ = identity.partition("://")
    addresses = (node.status and node.status.addresses) or ()
    texts = (_canonical(one.address) for one in addresses if one.type in REACHABLE)
    return NodeFacts(provider if separator else "", tuple(text for text in texts if text))


def _canonical(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return ""


def _labels(namespace: Namespace) -> Mapping[str, str]:
    return namespace.metadata.labels or {}
