"""Whatever a cluster shows: no crash, no rule that opens everything, one form, no order."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.baseline import objects
from policies.baseline.config import BaselineConfig
from policies.baseline.facts import gather
from policies.baseline.objects import Namespace, Plan
from policies.baseline.verbatim import defaulted
from policies.labels import NAME_LABEL
from tests.policies.baseline.given import Json, collected

FEW = settings(max_examples=100, deadline=None)

_addresses = st.sampled_from(
    ["10.96.0.10", "10.0.0.4", "10.244.0.2", "169.254.20.10", "fd00::a", "None", "", "x", "0.0.0.0"]
)
_lists = st.none() | st.lists(_addresses, max_size=3)
_labels = st.none() | st.dictionaries(
    st.sampled_from(["k8s-app", "kubernetes.io/service-name", "eks.amazonaws.com/compute-type"]),
    st.sampled_from(["kube-dns", "auto", "fargate", ""]),
    max_size=3,
)
_texts = st.sampled_from(
    ["-localip", "--localip=169.254.20.10", "169.254.20.10,10.96.0.10", "", "-"]
)
_ports = st.none() | st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from(["dns", "dns-tcp", "", None]),
            "protocol": st.sampled_from(["UDP", "TCP", None]),
            "port": st.sampled_from([53, 5353, 0, None]),
            "targetPort": st.sampled_from([53, 5353, "dns", "dns-tcp", None]),
        },
    ),
    max_size=3,
)
_slice_ports = _ports.map(lambda found: found and [_without(one, "targetPort") for one in found])


def _without(one: Json, key: str) -> Json:
    return {name: value for name, value in one.items() if name != key}


def _object(kind: str, names: list[str], **fields: st.SearchStrategy[Any]) -> Any:
    metadata = st.fixed_dictionaries(
        {
            "name": st.sampled_from(names),
            "namespace": st.sampled_from(["kube-system", "openshift-dns", "default", "bank"]),
        },
        optional={"labels": _labels, "annotations": _labels},
    )
    return st.fixed_dictionaries({"kind": st.just(kind), "metadata": metadata}, optional=fields)


def _maybe(**fields: st.SearchStrategy[Any]) -> Any:
    return st.none() | st.fixed_dictionaries({}, optional=fields)


_containers = st.none() | st.lists(
    _maybe(
        name=st.sampled_from(["calico-node", "cilium-agent", "x"]), args=st.lists(_texts)
    ).filter(bool),
    max_size=2,
)
_manifests = st.lists(
    st.one_of(
        _object(
            "Service",
            ["kube-dns", "coredns", "dns-default", "kubernetes", "other"],
            spec=_maybe(clusterIPs=_lists, selector=_labels, ports=_ports),
        ),
        _object(
            "EndpointSlice",
            ["a", "b"],
            endpoints=st.none() | st.lists(_maybe(addresses=_lists).filter(bool), max_size=2),
            ports=_slice_ports,
        ),
        _object(
            "Node",
            ["a", "b"],
            spec=_maybe(providerID=st.sampled_from(["aws:///x", "x", ""])),
            status=_maybe(
                addresses=st.just([{"type": "InternalIP", "address": "10.0.0.4"}, {}]),
                nodeInfo=_maybe(kubeletVersion=st.sampled_from(["v1+k3s1", "v1-gke.1", ""])),
            ),
        ),
        _object(
            "DaemonSet",
            ["cilium", "calico-node", "node-local-dns", "anetd"],
            spec=_maybe(
                template=_maybe(
                    metadata=_maybe(labels=_labels),
                    spec=_maybe(hostNetwork=st.booleans(), containers=_containers),
                )
            ),
        ),
        _object("ConfigMap", ["cilium-config", "amazon-vpc-cni"], data=_labels),
    ),
    max_size=8,
)
_configs = st.sampled_from(
    [
        {},
        {"dns": {"whenNotFound": "deny-only"}},
        {"dns": {"services": [{"namespace": "default", "name": "other"}]}},
        {
            "baselines": {
                "default-deny": {
                    "allow": {
                        "sameNamespace": True,
                        "monitoring": {"namespaces": ["b", "a", "b"], "ports": [443, 80, 443]},
                        "internet": {"exceptCidrs": ["8.8.8.0/24", "fd00::/8"]},
                        "apiServer": True,
                    },
                    "meshes": ["istio-ambient", "linkerd", "consul"],
                }
            }
        },
    ]
).map(lambda value: msgspec.convert(value, BaselineConfig))
_NAMESPACE = Namespace("shop", "uid", {"istio-injection": "enabled"})


def _plan(manifests: list[Json], config: BaselineConfig) -> Plan:
    facts = gather(collected(manifests, config), namespaces={"istio-system"})
    baseline = config.baseline("default-deny")
    assert baseline is not None
    return objects.plan(objects.environment(config, facts), baseline, _NAMESPACE)


@FEW
@given(_manifests, _configs)
def test_every_policy_is_in_the_form_of_the_api_server(
    manifests: list[Json], config: BaselineConfig
) -> None:
    for one in _plan(manifests, config).generated:
        assert defaulted(one.spec) == one.spec


@FEW
@given(_manifests, _configs)
def test_nothing_is_opened_to_everybody(manifests: list[Json], config: BaselineConfig) -> None:
    for one in _plan(manifests, config).generated:
        for direction, peers in (("egress", "to"), ("ingress", "from")):
            for rule in one.spec.get(direction, ()):
                assert rule[peers]
                for peer in rule[peers]:
                    assert peer == {"podSelector": {}} or _names_a_place(peer)


def _names_a_place(peer: Json) -> bool:
    """Namespaces by name, or a network that is written as the API server wants it."""
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        network = ip_network(block["cidr"])
        for hole in map(ip_network, block.get("except", ())):
            assert hole.version == network.version
            assert hole[0] in network
            assert hole.prefixlen > network.prefixlen
        return str(network) == block["cidr"] and (network.prefixlen > 8 or bool(block["except"]))
    return NAME_LABEL in str(peer["namespaceSelector"])


@FEW
@given(_manifests, _configs)
def test_there_is_dns_over_both_protocols_or_a_reason_why_not(
    manifests: list[Json], config: BaselineConfig
) -> None:
    found = _plan(manifests, config)
    dns = next((one for one in found.generated if one.name == "allow-dns"), None)
    not_found = "DnsNotFound" in {problem.reason for problem in found.problems}
    assert (dns is None) == not_found
    for rule in dns.spec["egress"] if dns else ():
        numbers = {
            protocol: {one["port"] for one in rule["ports"] if one["protocol"] == protocol}
            for protocol in ("UDP", "TCP")
        }
        assert numbers["UDP"] == numbers["TCP"] != set()


@FEW
@given(_manifests, _configs)
def test_every_rule_says_where_it_comes_from(manifests: list[Json], config: BaselineConfig) -> None:
    for one in _plan(manifests, config).generated[:-1]:
        rules = [*one.spec.get("ingress", ()), *one.spec.get("egress", ())]
        assert len(one.why) == len(rules)
        assert all(line and "\n" not in line for line in one.why)


@FEW
@given(_manifests, _configs, st.randoms(use_true_random=False))
def test_the_order_in_which_objects_are_seen_is_no_matter(
    manifests: list[Json], config: BaselineConfig, random: Any
) -> None:
    unique = {
        (one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]): one
        for one in manifests
    }
    shuffled = list(unique.values())
    random.shuffle(shuffled)
    assert _plan(shuffled, config) == _plan(list(unique.values()), config)
