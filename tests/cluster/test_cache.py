"""What the gate is told about a real cluster, and what it is told when rights are missing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes.client import (
    CoreV1Api,
    V1Node,
    V1NodeSpec,
    V1ObjectMeta,
)

from policies.model import NOTHING_KNOWN, Baseline, ClusterFacts
from tests.cluster.audit import Asked, asked
from tests.cluster.background import running
from tests.cluster.election.candidates import TIMING
from tests.cluster.namespaces import create_namespace, label_namespace, version
from tests.cluster.users import Grant
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cluster.cache import ClusterCache, node_facts, not_enforced
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.election import Election
from webhook.cluster.objects import (
    CNI,
    CNI_REASON,
    AnnotatedMetadata,
    Lease,
    Metadata,
    Node,
    NodeAddress,
    NodeSpec,
    NodeStatus,
)

pytestmark = pytest.mark.cluster

CATCH_UP = 30.0


def connect(kubeconfig: Path, agent: str) -> Connection:
    return Connection(Kubeconfig(str(kubeconfig)), user_agent=agent)


def add_node(api: CoreV1Api, name: str, provider: str, *addresses: tuple[str, str]) -> None:
    node = V1Node(metadata=V1ObjectMeta(name=name), spec=V1NodeSpec(provider_id=provider))
    api.create_node(node)
    found = [{"type": kind, "address": address} for kind, address in addresses]
    api.patch_node_status(name, {"status": {"addresses": found}})


def heartbeat(api: CoreV1Api, name: str) -> int:
    """What a kubelet reports every few minutes; the resourceVersion."""
    condition = {"type": "Ready", "status": "True", "reason": "Fine", "message": "still here"}
    return int(version(api.patch_node_status(name, {"status": {"conditions": [condition]}})))


@pytest.fixture
def nodes(api: CoreV1Api) -> Iterator[None]:
    """Two nodes of different clouds, and one of none."""
    add_node(api, "one", "aws:///eu-1a/i-1", ("InternalIP", "10.0.0.1"), ("Hostname", "one"))
    add_node(
        api,
        "two",
        "gce://project/zone/two",
        ("InternalIP", "2001:DB8:0:0::2"),
        ("ExternalIP", "192.0.2.2"),
    )
    add_node(api, "bare", "", ("InternalIP", "10.0.0.3"))
    yield
    api.delete_collection_node()


@pytest.mark.usefixtures("nodes")
def test_facts_of_the_nodes(api: CoreV1Api, reader: Path, agent: str) -> None:
    connection = connect(reader, agent)
    cache = ClusterCache(connection)
    assert not cache.synced
    assert cache.facts() is NOTHING_KNOWN
    with running(connection, cache.run):
        wait_for(lambda: cache.synced, CATCH_UP, "both lists")
        known = ClusterFacts(
            frozenset({"aws", "gce", ""}),
            frozenset({"10.0.0.1", "2001:db8::2", "192.0.2.2", "10.0.0.3"}),
        )
        assert cache.facts() == known
        api.delete_node("two")
        less = ClusterFacts(frozenset({"aws", ""}), frozenset({"10.0.0.1", "10.0.0.3"}))
        wait_for(lambda: cache.facts() == less, 1, "the end of a node")
        add_node(api, "four", "azure:///subscriptions/4", ("InternalIP", "10.0.0.4"))
        wait_for(lambda: "10.0.0.4" in cache.facts().nodeAddresses, 1, "a new node")
        assert cache.facts().providers == {"aws", "azure", ""}


@pytest.mark.usefixtures("nodes")
def test_facts_stay_the_same_object_until_nodes_change(
    api: CoreV1Api, reader: Path, agent: str
) -> None:
    connection = connect(reader, agent)
    cache = ClusterCache(connection)
    with running(connection, cache.run):
        wait_for(lambda: cache.synced, CATCH_UP, "both lists")
        facts = cache.facts()
        beat = heartbeat(api, "one")
        wait_for(lambda: int(cache.nodes.resource_version) >= beat, 5, "the heartbeat")
        assert cache.facts() is facts


def test_labels_of_namespaces(api: CoreV1Api, reader: Path, agent: str) -> None:
    connection = connect(reader, agent)
    cache = ClusterCache(connection)
    assert cache.namespace_labels("default") is None
    with running(connection, cache.run):
        wait_for(lambda: cache.synced, CATCH_UP, "both lists")
        assert cache.namespace_labels("default") == {"kubernetes.io/metadata.name": "default"}
        assert cache.namespace_labels("labelled") is None
        create_namespace(api, "labelled", env="dev")
        wait_for(lambda: cache.namespace_labels("labelled"), 1, "the namespace")
        label_namespace(api, "labelled", env="prod")
        expected = {"env": "prod", "kubernetes.io/metadata.name": "labelled"}
        wait_for(lambda: cache.namespace_labels("labelled") == expected, 1, "the label")


def test_until_leases_are_listed_nobody_knows_whether_a_controller_runs(
    reader: Path, agent: str
) -> None:
    connection = connect(reader, agent)
    cache = ClusterCache(connection, ("nowhere", "nobody"))
    assert cache.baseline("default") is Baseline.UNKNOWN
    with running(connection, cache.run):
        wait_for(lambda: cache.synced, CATCH_UP, "the lists")
        assert cache.baseline("default") is Baseline.INACTIVE


def test_who_deletes_the_lease_does_not_switch_the_baseline_off(
    plane: ControlPlane, agent: str
) -> None:
    lease = ("lease", "passing", "--namespace=default")
    manifest = "{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: passing}}"
    plane.kubectl("apply", "--namespace=default", "-f", "-", stdin=manifest)
    connection = connect(plane.kubeconfig, agent)
    cache = ClusterCache(connection, ("default", "passing"))
    with running(connection, cache.run):
        wait_for(lambda: cache.synced, CATCH_UP, "the lists")
        assert cache.baseline("default") is Baseline.NONE
        assert not cache.baseline_unread
        plane.kubectl("delete", *lease)
        wait_for(lambda: not cache.leases.items, CATCH_UP, "the end of the Lease")
        assert cache.baseline("default") is Baseline.NONE
        assert cache.baseline("unheard-of") is Baseline.PENDING


@pytest.mark.usefixtures("nodes")
def test_without_the_right_to_nodes(
    plane: ControlPlane, grant: Grant, agent: str, caplog: pytest.LogCaptureFixture
) -> None:
    grant("half-readers", "namespaces")
    connection = connect(plane.kubeconfig_for("half", ("half-readers",)), agent)
    cache = ClusterCache(connection)

    def refusals() -> list[Asked]:
        return [one for one in asked(plane, agent) if one.code == 403 and "/nodes" in one.uri]

    with running(connection, cache.run):
        wait_for(lambda: cache.synced, CATCH_UP, "namespaces, and the answer about nodes")
        assert cache.namespace_labels("default") is not None
        assert cache.facts() is NOTHING_KNOWN
        reason = (
            f'{plane.url}/api/v1/nodes: 403 nodes is forbidden: User "half" cannot list resource'
            ' "nodes" in API group "" at the cluster scope: grant this to the user in a'
            " ClusterRole"
        )
        # It is settled a moment before it says why, and well again when the watch is answered.
        wait_for(lambda: cache.nodes.failure == reason, CATCH_UP, "the reason")
        assert not cache.namespaces.failure
        assert cache.baseline_unread
        for _ in range(2):
            assert cache.baseline("default") is Baseline.INACTIVE
        assert caplog.text.count("grant list and watch on leases there") == 1
        wait_for(lambda: len(refusals()) >= 3, CATCH_UP, "it to try again")
        grant("half-readers", "namespaces, nodes")
        wait_for(lambda: cache.facts().providers == {"aws", "gce", ""}, CATCH_UP, "the nodes")
        wait_for(lambda: not cache.nodes.failure, CATCH_UP, "the watch")
        assert len(refusals()) < 12


def test_without_the_right_to_namespaces_it_is_never_synced(
    plane: ControlPlane, grant: Grant, agent: str
) -> None:
    grant("node-readers", "nodes")
    connection = connect(plane.kubeconfig_for("other", ("node-readers",)), agent)
    cache = ClusterCache(connection)
    with running(connection, cache.run):
        wait_for(lambda: cache.nodes.synced, CATCH_UP, "the nodes")
        wait_for(lambda: "namespaces is forbidden" in cache.namespaces.failure, 5, "the reason")
        assert not cache.synced
        assert cache.namespace_labels("default") is None


def test_what_the_leader_says_of_the_cni(plane: ControlPlane, agent: str) -> None:
    """Written with its Lease by whoever leads, read by the cache; the rest of the facts stay."""
    said = {CNI: "not-enforcing", CNI_REASON: "Flannel connects pods and enforces nothing"}
    leader, reader = connect(plane.kubeconfig, agent), connect(plane.kubeconfig, agent)
    election = Election(leader, "default", agent.lower().replace("_", "-"), "me",
                        timing=TIMING, annotations=lambda: said)  # fmt: skip
    cache = ClusterCache(reader, ("default", agent.lower().replace("_", "-")))

    async def work() -> None:
        await asyncio.Event().wait()

    async def lead() -> None:
        await election.run(work)

    with running(leader, lead), running(reader, cache.run):
        reason = said[CNI_REASON]
        wait_for(lambda: cache.facts().notEnforced == reason, CATCH_UP, "the reason")
        facts = cache.facts()
        said[CNI_REASON] = "k3s was started with --disable-network-policy"
        wait_for(lambda: "k3s" in cache.facts().notEnforced, 5, "another reason")
        assert cache.facts().providers == facts.providers
        said.update({CNI: "enforcing", CNI_REASON: "Calico enforces NetworkPolicies"})
        wait_for(lambda: not cache.facts().notEnforced, 5, "the plugin that enforces")


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        (None, ""),
        ({}, ""),
        ({CNI: "enforcing", CNI_REASON: "Calico enforces"}, ""),
        ({CNI: "unknown", CNI_REASON: "no CNI plugin was recognised"}, ""),
        ({CNI_REASON: "Flannel enforces nothing"}, ""),
        (
            {CNI: "not-enforcing", CNI_REASON: "Flannel enforces nothing"},
            "Flannel enforces nothing",
        ),
        ({CNI: "not-enforcing"}, "the CNI plugin enforces no NetworkPolicy"),
        ({CNI: "not-enforcing", CNI_REASON: "x" * 4000}, "x" * 500),
    ],
)
def test_only_a_known_lack_of_enforcement_counts(
    annotations: dict[str, str] | None, expected: str
) -> None:
    metadata = AnnotatedMetadata("lease", annotations=annotations)
    assert not_enforced(Lease(metadata=metadata)) == expected


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("aws:///eu-central-1a/i-0", "aws"),
        ("openstack://region/uuid", "openstack"),
        ("kind://docker/kind/kind-worker", "kind"),
        ("ocid1.instance.oc1.iad.x", "ocid1.instance.oc1.iad.x"),
        ("", ""),
        (None, ""),
    ],
)
def test_provider_of_a_node(provider: str | None, expected: str) -> None:
    node = Node(Metadata("node"), spec=NodeSpec(provider))
    assert node_facts(node).provider == expected


def test_addresses_of_a_node() -> None:
    given = [
        NodeAddress("InternalIP", "10.0.0.1"),
        NodeAddress("InternalIP", "FD00:0:0::A"),
        NodeAddress("ExternalIP", "192.0.2.1"),
        NodeAddress("ExternalIP", "not an address"),
        NodeAddress("InternalDNS", "10.0.0.9"),
        NodeAddress("Hostname", "10.0.0.8"),
    ]
    node = Node(Metadata("node"), status=NodeStatus(given))
    assert node_facts(node).addresses == ("10.0.0.1", "fd00::a", "192.0.2.1")
    assert node_facts(Node(Metadata("node"), status=NodeStatus(None))).addresses == ()
