"""What the gate asks of the live cluster, from memory: implements `admission.cluster.Cluster`.

Reads, and needs no more than list and watch on namespaces and nodes (core group), networkpolicies
(networking.k8s.io) and, in the namespace of the controller, leases (coordination.k8s.io). What
RBAC keeps from us is unknown, and policies then assume the worse case. Only a Lease that may not be
read is taken for absent, because a gate that waits for a controller that does not run would hold up
every pod. Decides nothing, and never asks the API server while a review waits.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Collection, Mapping

import msgspec

from policies.model import NOTHING_KNOWN, Baseline, ClusterFacts
from policies.network_policies.managed import BASELINE
from policies.network_policies.views import NetworkPolicy
from webhook.cluster.connection import Connection
from webhook.cluster.objects import CNI, CNI_REASON, Lease, Namespace, Node
from webhook.cluster.policies import Policies
from webhook.cluster.reflector import Reflector
from webhook.exemptions.claim import only

REACHABLE = frozenset({"InternalIP", "ExternalIP"})
CONTROLLER_LEASE = ("netreeve", "netreeve-control")
LONGEST_REASON = 500
LONGEST_LABELS = 64 * 1024
"""Characters of all labels of a namespace, five hundred of the longest; kept for every one."""
_NO_BASELINE = (
    "it is taken that no controller runs, so namespaces get no baseline and no pod waits for one; "
    "grant list and watch on leases there"
)
log = logging.getLogger(__name__)
NOTHING: Mapping[str, str] = {}


class NamespaceFacts(msgspec.Struct, frozen=True, gc=False):
    """What is kept of a namespace; exemption: its annotations that are about one.

    labels: None where they are too long, and as good as not known.
    """

    uid: str
    labels: Mapping[str, str] | None
    exemption: Mapping[str, str] = NOTHING


class NodeFacts(msgspec.Struct, frozen=True, gc=False):
    """What one node adds to the ClusterFacts; most updates of a node change nothing of it."""

    provider: str
    addresses: tuple[str, ...]


class ClusterCache:
    """Snapshots of what the gate reads, kept up to date by `run`; usable from the start.

    controller: namespace and name of the Lease that the controller leads by; while there is none,
    no controller has ever run, and nothing waits for a baseline.
    """

    def __init__(
        self, connection: Connection, controller: tuple[str, str] = CONTROLLER_LEASE
    ) -> None:
        self.namespaces = Reflector(connection, "/api/v1/namespaces", Namespace, _namespace)
        self.nodes = Reflector(connection, "/api/v1/nodes", Node, node_facts)
        self._policies = Policies(connection)
        self.policies = self._policies.reflector
        namespace, name = controller
        self.leases = Reflector(
            connection,
            f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
            Lease,
            not_enforced,
            params={"fieldSelector": f"metadata.name={name}"},
        )
        self.nodes.subscribe(self._facts_changed)
        self.leases.subscribe(self._facts_changed)
        self.leases.subscribe(self._leases_changed)
        self._facts = NOTHING_KNOWN
        self._active = False
        self._told = False

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """The labels of a namespace; None when it is not known.

        A pod may be judged before the watch has brought its new namespace. Then too the labels are
        not known, and the caller takes the strictest answer.
        """
        known = self.namespaces.items.get(namespace)
        return known.labels if known else None

    def exemption(self, namespace: str) -> Mapping[str, str]:
        """The annotations of a namespace that are about an exemption; {} for none, or unknown."""
        known = self.namespaces.items.get(namespace)
        return known.exemption if known else NOTHING

    def baseline(self, namespace: str) -> Baseline | None:
        """How a namespace stands to the baseline; one that is not known yet may be under one.

        Before the Leases have been listed, a missing Lease means nothing: requests may come before
        this process is ready. Nor does it once there was one: if somebody deletes it, the
        controller that leads makes another.
        """
        if not self.leases.settled:
            return Baseline.UNKNOWN
        if not self._active:
            if self.baseline_unread and not self._told:
                self._told = True
                log.warning("%s may not be read: %s", self.leases.path, _NO_BASELINE)
            return Baseline.INACTIVE
        known = self.namespaces.items.get(namespace)
        if known is None:
            return Baseline.PENDING
        if known.labels is not None and BASELINE not in known.labels:
            return Baseline.NONE
        covered = self._policies.cover(namespace, known.uid)
        return Baseline.COVERED if covered else Baseline.PENDING

    @property
    def baseline_unread(self) -> bool:
        """Whether nothing waits for a baseline only because RBAC keeps the Lease from us."""
        return self.leases.settled and not self.leases.synced and not self._active

    def network_policies(self, namespace: str) -> tuple[NetworkPolicy, ...] | None:
        """The NetworkPolicies of a namespace; None before they have been listed."""
        return self._policies.of(namespace) if self.policies.synced else None

    def facts(self) -> ClusterFacts:
        """Of nodes and the controller; computed on change, so that asking costs nothing."""
        return self._facts

    @property
    def synced(self) -> bool:
        """Namespaces are known, and the others unless RBAC keeps them from us. Stays true."""
        others = (self.nodes, self.policies, self.leases)
        return self.namespaces.synced and all(one.settled for one in others)

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        async with asyncio.TaskGroup() as group:
            for one in (self.namespaces, self.nodes, self.policies, self.leases):
                group.create_task(one.run())

    def _leases_changed(self, keys: Collection[str]) -> None:
        self._active = self._active or bool(self.leases.items)

    def _facts_changed(self, keys: Collection[str]) -> None:
        nodes = self.nodes.items.values()
        self._facts = ClusterFacts(
            providers=frozenset(node.provider for node in nodes),
            nodeAddresses=frozenset().union(*(node.addresses for node in nodes)),
            notEnforced=next(iter(self.leases.items.values()), ""),
        )


def node_facts(node: Node) -> NodeFacts:
    """The prefix of ``spec.providerID`` before ``://``, and InternalIP and ExternalIP.

    "" without one, as on bare metal, and for a moment on new nodes of a cloud.
    Oracle's have no ``://``: the whole text tells the provider then.
    """
    identity = (node.spec and node.spec.providerID) or ""
    addresses = (node.status and node.status.addresses) or ()
    texts = (_canonical(one.address) for one in addresses if one.type in REACHABLE)
    return NodeFacts(identity.partition("://")[0], tuple(text for text in texts if text))


def not_enforced(lease: Lease) -> str:
    """Why no NetworkPolicy has an effect, if the controller has found that out; else ""."""
    said = lease.metadata.annotations or {}
    if said.get(CNI) != "not-enforcing":
        return ""
    return said.get(CNI_REASON, "")[:LONGEST_REASON] or "the CNI plugin enforces no NetworkPolicy"


def _canonical(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return ""


def _namespace(namespace: Namespace) -> NamespaceFacts:
    meta = namespace.metadata
    labels = meta.labels or {}
    length = sum(len(name) + len(value) for name, value in labels.items())
    return NamespaceFacts(
        meta.uid,
        labels if length <= LONGEST_LABELS else None,
        only(meta.annotations) or NOTHING,
    )
