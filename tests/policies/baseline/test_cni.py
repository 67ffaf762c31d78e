"""The verdict on every CNI plugin of the table, in each of its forms."""

from __future__ import annotations

import msgspec
import pytest

from policies.baseline.cni import TABLE, enforcement
from policies.baseline.facts import ConfigMap, Container, DaemonSet, Facts, Node


def _daemon_set(
    name: str, *containers: Container, namespace: str = "kube-system", runs: bool = True
) -> DaemonSet:
    return DaemonSet(namespace, name, {}, True, containers, runs)


def _container(name: str, *arguments: str, image: str = "") -> Container:
    return Container(name, image, arguments)


def _cilium(**data: str) -> Facts:
    config = ConfigMap(
        "kube-system", "cilium-config", {k.replace("_", "-"): v for k, v in data.items()}
    )
    return Facts(daemon_sets=(_daemon_set("cilium"),), config_maps=(config,))


def _aws(*arguments: str, controller: str | None = None) -> Facts:
    data = {} if controller is None else {"enable-network-policy-controller": controller}
    agent = _container("aws-eks-nodeagent", *arguments)
    return Facts(
        daemon_sets=(_daemon_set("aws-node", _container("aws-node"), agent),),
        config_maps=(ConfigMap("kube-system", "amazon-vpc-cni", data),),
    )


def _k3s(*arguments: str) -> Facts:
    agent = Node(kubelet="v1.34.1+k3s1", arguments=("agent",))
    return Facts(nodes=(agent, Node(kubelet="v1.34.1+k3s1", arguments=("server", *arguments))))


def _kindnet(image: str) -> Facts:
    return Facts(daemon_sets=(_daemon_set("kindnet", _container("kindnet-cni", image=image)),))


def _one(name: str, *containers: Container, namespace: str = "kube-system") -> Facts:
    return Facts(daemon_sets=(_daemon_set(name, *containers, namespace=namespace),))


CALICO, FLANNEL = _container("calico-node"), _container("kube-flannel")
NETPOL = _container("kube-network-policies")
AKS = {"kubernetes.azure.com/network-policy": "none"}
AUTO_NODE = Node(labels={"eks.amazonaws.com/compute-type": "auto"})
AUTO = frozenset({"eks.amazonaws.com"})
ON = ConfigMap("kube-system", "amazon-vpc-cni", {"enable-network-policy-controller": "true"})

VERDICTS = {
    "nothing known": (Facts(), "unknown", ()),
    "Calico by its operator": (
        _one("calico-node", CALICO, namespace="calico-system"),
        "enforcing",
        ("Calico",),
    ),
    "Calico by manifest": (_one("calico-node", CALICO), "enforcing", ("Calico",)),
    "Canal": (_one("canal", CALICO, FLANNEL), "enforcing", ("Calico", "Flannel")),
    "Cilium": (_cilium(enable_policy="default"), "enforcing", ("Cilium",)),
    "Cilium, always": (_cilium(enable_policy="always"), "enforcing", ("Cilium",)),
    "Cilium, never": (_cilium(enable_policy="never"), "not-enforcing", ("Cilium",)),
    "Cilium without NetworkPolicies": (
        _cilium(enable_k8s_networkpolicy="false"),
        "not-enforcing",
        ("Cilium",),
    ),
    "Cilium in audit mode": (_cilium(policy_audit_mode="true"), "not-enforcing", ("Cilium",)),
    "GKE Dataplane V2": (
        Facts(
            daemon_sets=(_daemon_set("anetd", _container("cilium-agent")),),
            nodes=(Node(kubelet="v1.33.5-gke.100"),),
        ),
        "enforcing",
        ("GKE Dataplane V2",),
    ),
    "GKE alone": (
        Facts(nodes=(Node(kubelet="v1.33.5-gke.100"),)),
        "not-enforcing",
        ("GKE without Dataplane V2",),
    ),
    "Flannel": (
        _one("kube-flannel-ds", FLANNEL, namespace="kube-flannel"),
        "not-enforcing",
        ("Flannel",),
    ),
    "Flannel with policies": (
        _one("kube-flannel-ds", FLANNEL, NETPOL, namespace="kube-flannel"),
        "enforcing",
        ("Flannel",),
    ),
    "Flannel with kube-network-policies beside it": (
        Facts(daemon_sets=(_daemon_set("f", FLANNEL), _daemon_set("kube-network-policies"))),
        "enforcing",
        ("Flannel", "kube-network-policies"),
    ),
    "k3s": (_k3s("--disable", "traefik"), "enforcing", ("k3s",)),
    "k3s without policies": (_k3s("--disable-network-policy"), "not-enforcing", ("k3s",)),
    "k3s without policies, in two words": (
        _k3s("--disable-network-policy", "true", "--x"),
        "not-enforcing",
        ("k3s",),
    ),
    "k3s without policies, in one": (
        _k3s("--disable-network-policy=true"),
        "not-enforcing",
        ("k3s",),
    ),
    "k3s with the flag off": (_k3s("--disable-network-policy", "false"), "enforcing", ("k3s",)),
    "k3s with the flag off, in one": (
        _k3s("--disable-network-policy=false"),
        "enforcing",
        ("k3s",),
    ),
    "Weave Net": (
        _one("weave-net", _container("weave"), _container("weave-npc")),
        "enforcing",
        ("Weave Net",),
    ),
    "Weave Net without policies": (
        _one("weave-net", _container("weave")),
        "not-enforcing",
        ("Weave Net",),
    ),
    "Antrea": (_one("antrea-agent"), "enforcing", ("Antrea",)),
    "kube-router": (_one("kube-router", _container("kube-router")), "enforcing", ("kube-router",)),
    "kube-router without firewall": (
        _one("kube-router", _container("kube-router", "--run-firewall=false")),
        "not-enforcing",
        ("kube-router",),
    ),
    "kindnet": (
        _kindnet("docker.io/kindest/kindnetd:v20241212-9f82dd49"),
        "enforcing",
        ("kindnet",),
    ),
    "the first kindnet that enforces": (
        _kindnet("docker.io/kindest/kindnetd:v20240813-c6f155d6"),
        "enforcing",
        ("kindnet",),
    ),
    "the last that does not": (
        _kindnet("docker.io/kindest/kindnetd:v20240730-75a5af0c"),
        "not-enforcing",
        ("kindnet",),
    ),
    "kindnet of a version": (_kindnet("ghcr.io/aojea/kindnetd:v1.6.0"), "enforcing", ("kindnet",)),
    "AWS VPC CNI": (
        _aws("--enable-ipv6=false", "--enable-network-policy=true", controller="true"),
        "enforcing",
        ("AWS VPC CNI",),
    ),
    "AWS VPC CNI without ConfigMap": (
        _aws("--enable-network-policy=true"),
        "enforcing",
        ("AWS VPC CNI",),
    ),
    "AWS VPC CNI, off": (_aws("--enable-network-policy=false"), "not-enforcing", ("AWS VPC CNI",)),
    "AWS VPC CNI by default": (_aws(), "not-enforcing", ("AWS VPC CNI",)),
    "AWS VPC CNI without controller": (
        _aws("--enable-network-policy=true", controller="false"),
        "not-enforcing",
        ("AWS VPC CNI",),
    ),
    "AWS VPC CNI with Calico": (
        Facts(daemon_sets=(_daemon_set("aws-node"), _daemon_set("calico-node", CALICO))),
        "enforcing",
        ("Calico", "AWS VPC CNI"),
    ),
    "EKS Auto Mode": (Facts(groups=AUTO), "not-enforcing", ("EKS Auto Mode",)),
    "EKS Auto Mode with policies": (
        Facts(groups=AUTO, config_maps=(ON,)),
        "enforcing",
        ("EKS Auto Mode",),
    ),
    "EKS Auto Mode by its nodes": (
        Facts(nodes=(AUTO_NODE,), groups=AUTO, config_maps=(ON,)),
        "enforcing",
        ("EKS Auto Mode",),
    ),
    "the node monitoring agent's API group on another EKS cluster": (
        msgspec.structs.replace(_aws(controller="true"), groups=AUTO),
        "not-enforcing",
        ("AWS VPC CNI",),
    ),
    "EKS Auto Mode beside nodes that enforce nothing": (
        msgspec.structs.replace(_aws(controller="true"), groups=AUTO, nodes=(AUTO_NODE,)),
        "not-enforcing",
        ("AWS VPC CNI", "EKS Auto Mode"),
    ),
    "EKS Auto Mode beside nodes that enforce as well": (
        msgspec.structs.replace(
            _aws("--enable-network-policy=true", controller="true"), nodes=(AUTO_NODE,)
        ),
        "enforcing",
        ("AWS VPC CNI", "EKS Auto Mode"),
    ),
    "EKS Auto Mode that enforces nothing beside Calico": (
        Facts(nodes=(AUTO_NODE,), daemon_sets=(_daemon_set("calico-node", CALICO),)),
        "not-enforcing",
        ("Calico", "EKS Auto Mode"),
    ),
    "Azure NPM": (_one("azure-npm"), "enforcing", ("Azure NPM",)),
    "AKS alone": (
        Facts(nodes=(Node(labels=AKS),)),
        "not-enforcing",
        ("AKS without a network policy engine",),
    ),
    "AKS with a CNI plugin of one's own": (
        Facts(nodes=(Node(labels=AKS),), daemon_sets=(_daemon_set("cilium"),)),
        "enforcing",
        ("Cilium",),
    ),
    "OVN-Kubernetes": (
        _one("ovnkube-node", namespace="openshift-ovn-kubernetes"),
        "enforcing",
        ("OVN-Kubernetes",),
    ),
    "somebody's DaemonSet": (_one("cilium", CALICO, namespace="bank"), "unknown", ()),
    "a DaemonSet of no node": (
        Facts(daemon_sets=(_daemon_set("calico-node", CALICO, runs=False),)),
        "unknown",
        (),
    ),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name: str) -> None:
    facts, state, titles = VERDICTS[name]
    found = enforcement(facts)
    assert (found.state, tuple(one.title for one in found.plugins)) == (state, titles)
    assert found.reason
    assert all(one.evidence and one.reason for one in found.plugins)


def test_every_plugin_of_the_table_is_tried_in_every_form() -> None:
    """A plugin, or a condition of one, that nothing here leads to could say what it likes."""
    given = {one.reason for facts, *_ in VERDICTS.values() for one in enforcement(facts).plugins}
    written = {one.reason for one in TABLE.cnis}
    written |= {when.reason for one in TABLE.cnis for when in one.when}
    assert given == written


def test_what_decided_is_part_of_the_evidence() -> None:
    (plugin,) = enforcement(_cilium(enable_policy="never")).plugins
    assert plugin.evidence == (
        "DaemonSet kube-system/cilium",
        "ConfigMap kube-system/cilium-config: enable-policy is never",
    )


@pytest.mark.parametrize(
    ("facts", "match"),
    [
        (_cilium(), False),
        (_one("anetd"), False),
        (_cilium(enable_policy="never"), True),
        (_one("calico-node", CALICO), True),
        (Facts(), True),
    ],
)
def test_whether_ip_blocks_match_pods(facts: Facts, match: bool) -> None:
    assert enforcement(facts).ip_blocks_match_pods is match


@pytest.mark.parametrize(
    ("facts", "match"),
    [
        (_cilium(), False),
        (_cilium(policy_cidr_match_mode=""), False),
        (_cilium(policy_cidr_match_mode="nodes"), True),
        (_one("anetd"), False),
        (_one("calico-node", CALICO), True),
        (Facts(), True),
    ],
)
def test_whether_ip_blocks_match_nodes(facts: Facts, match: bool) -> None:
    assert enforcement(facts).ip_blocks_match_nodes is match


def test_where_nodes_differ_it_is_said() -> None:
    mixed = msgspec.structs.replace(_aws(controller="true"), nodes=(AUTO_NODE,))
    assert enforcement(mixed).reason.startswith("on some of the nodes: the AWS VPC CNI enforces")


def test_nodes_that_no_policy_reaches_are_said() -> None:
    fargate = Node(os="linux", labels={"eks.amazonaws.com/compute-type": "fargate"})
    notes = enforcement(Facts(nodes=(fargate, Node(os="windows")))).notes
    assert [note.split(":")[0] for note in notes] == ["Windows nodes", "Fargate nodes"]
    assert enforcement(Facts(nodes=(Node(os="linux"),))).notes == ()


def test_every_plugin_says_where_it_was_read() -> None:
    for one in TABLE.cnis:
        assert one.source
        assert one.daemonSets or one.containers or one.kubelet or one.node or one.group
