"""Near misses of the computed DNS rule; the clusters themselves are cases with golden files."""

from __future__ import annotations

import msgspec
import pytest

from policies.baseline.config import Dns, DnsService
from policies.baseline.dns import Resolved, resolve
from policies.baseline.facts import (
    Container,
    DaemonSet,
    EndpointPort,
    EndpointSlice,
    Facts,
    Node,
    Service,
    ServicePort,
)

SERVICE = Service(
    "kube-system",
    "kube-dns",
    {"k8s-app": "kube-dns"},
    ("10.96.0.10",),
    {"k8s-app": "kube-dns"},
    (ServicePort("dns", "UDP", 53, "dns"), ServicePort("dns-tcp", "TCP", 53, "dns-tcp")),
)


def _slice(port: int, *addresses: str, name: str = "a", service: str = "kube-dns") -> EndpointSlice:
    ports = tuple(EndpointPort(*one, port) for one in (("dns", "UDP"), ("dns-tcp", "TCP")))
    return EndpointSlice("kube-system", name, service, addresses, ports)


def _node_cache(*arguments: str, namespace: str = "kube-system") -> Facts:
    container = Container("node-cache", "", arguments)
    labels = {"k8s-app": "node-local-dns"}
    return Facts(daemon_sets=(DaemonSet(namespace, "cache", labels, True, (container,)),))


FOUND_OUT = Dns()


def _resolve(facts: Facts, config: Dns = FOUND_OUT, *, cilium: bool = False) -> Resolved:
    return resolve(config, facts, ip_blocks_match_pods=not cilium, ip_blocks_match_nodes=not cilium)


def _reasons(found: Resolved) -> list[str]:
    return [problem.reason for problem in found.problems]


def _ports(found: Resolved) -> list[set[int]]:
    return [{port.number for port in grant.ports} for grant in found.grants]


def _blocks(found: Resolved) -> list[str]:
    peers = (peer for grant in found.grants for peer in grant.peers)
    return [peer["ipBlock"]["cidr"] for peer in peers if "ipBlock" in peer]


def test_a_named_port_is_every_number_that_endpoints_make_of_it() -> None:
    facts = Facts((SERVICE,), (_slice(5353), _slice(8053, name="b"), _slice(9, service="other")))
    assert _ports(_resolve(facts)) == [{5353, 8053}]


def test_a_named_port_that_no_endpoint_tells_is_not_guessed() -> None:
    """What exists stays then, and a rollout of the DNS pods rewrites nothing."""
    found = _resolve(Facts((SERVICE,), ()))
    assert found.grants == ()
    assert _reasons(found) == ["DnsPortUnknown", "DnsNotFound"]


def test_a_number_needs_no_endpoints() -> None:
    ports = tuple(msgspec.structs.replace(one, target=1053) for one in SERVICE.ports)
    facts = Facts((msgspec.structs.replace(SERVICE, ports=ports),), (_slice(7777),))
    assert _ports(_resolve(facts)) == [{1053}]


def test_other_ports_of_the_service_are_not_opened() -> None:
    metrics = ServicePort("metrics", "TCP", 9153, 9153)
    facts = Facts(
        (msgspec.structs.replace(SERVICE, ports=(*SERVICE.ports, metrics)),), (_slice(53),)
    )
    assert _ports(_resolve(facts)) == [{53}]


def test_a_service_without_port_53_is_no_dns() -> None:
    odd = msgspec.structs.replace(SERVICE, ports=(ServicePort("dns", "UDP", 5353, 5353),))
    assert _reasons(_resolve(Facts((odd,), (_slice(5353),)))) == ["DnsPortUnknown", "DnsNotFound"]


def test_udp_and_tcp_are_allowed_whatever_the_service_offers() -> None:
    facts = Facts((msgspec.structs.replace(SERVICE, ports=SERVICE.ports[:1]),), (_slice(53),))
    found = _resolve(facts)
    assert [[tuple(port) for port in grant.ports] for grant in found.grants] == [
        [("UDP", 53), ("TCP", 53)]
    ]
    assert _reasons(found) == ["DnsWithoutTcp"]


def test_endpoints_on_nodes_are_allowed_by_address_beside_the_label() -> None:
    facts = Facts(
        (SERVICE,), (_slice(53, "10.0.0.4", "10.244.0.2"),), (Node(addresses=("10.0.0.4",)),)
    )
    found = _resolve(facts)
    assert _blocks(found) == ["10.0.0.4/32"]
    assert any("podSelector" in peer for grant in found.grants for peer in grant.peers)
    assert _reasons(_resolve(facts, cilium=True)) == ["HostNetworkDnsOnCilium"]


def test_endpoints_that_are_pods_are_never_allowed_by_address() -> None:
    assert _blocks(_resolve(Facts((SERVICE,), (_slice(53, "10.244.0.2"),)))) == []


def test_known_names_win_over_the_label_of_the_add_on() -> None:
    upstream = msgspec.structs.replace(SERVICE, name="kube-dns-upstream", selector={"x": "y"})
    facts = Facts((SERVICE, upstream), (_slice(53),))
    assert len(_resolve(facts).grants) == 1


def test_configured_services_replace_the_known_ones() -> None:
    config = Dns(services=(DnsService("kube-system", "mine"),))
    found = _resolve(Facts((SERVICE,), (_slice(53),)), config)
    assert found.grants == ()
    assert _reasons(found) == ["DnsServiceNotFound", "DnsNotFound"]


def test_a_configured_address_is_dns_enough() -> None:
    found = _resolve(Facts(), Dns(addresses=("10.0.0.53", "fd00::35")))
    assert _blocks(found) == ["10.0.0.53/32", "fd00::35/128"]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("arguments", "addresses"),
    [
        (("-localip", "169.254.20.10,10.96.0.10"), ["10.96.0.10/32", "169.254.20.10/32"]),
        (("-localip=169.254.25.10", "-conf", "x"), ["169.254.25.10/32"]),
        (("--localip", "169.254.20.10"), ["169.254.20.10/32"]),
        (("/node-cache", "--localip=fd00::a, 169.254.20.10"), ["169.254.20.10/32", "fd00::a/128"]),
        (("-localip", "0.0.0.0,169.254.20.10"), ["169.254.20.10/32"]),
        (("-localip", "169.254.20.10,__PILLAR__DNS__SERVER__"), ["169.254.20.10/32"]),
    ],
)
def test_the_cache_listens_where_its_flag_says(
    arguments: tuple[str, ...], addresses: list[str]
) -> None:
    found = _resolve(_node_cache(*arguments))
    assert _blocks(found) == addresses
    assert _ports(found) == [{53}]


@pytest.mark.parametrize("arguments", [("-localip", "$(ADDRESS)"), ("-localip",), ("-localip=",)])
def test_an_address_that_cannot_be_read_is_said(arguments: tuple[str, ...]) -> None:
    assert _reasons(_resolve(_node_cache(*arguments))) == ["NodeLocalAddressUnknown", "DnsNotFound"]


@pytest.mark.parametrize("arguments", [(), ("localip", "1.1.1.1"), ("-localipx", "1.1.1.1")])
def test_what_is_not_the_flag_is_no_cache(arguments: tuple[str, ...]) -> None:
    assert _reasons(_resolve(_node_cache(*arguments))) == ["DnsNotFound"]


def test_a_cache_in_somebody_elses_namespace_is_none() -> None:
    facts = _node_cache("-localip", "6.6.6.6", namespace="bank")
    assert _blocks(_resolve(facts)) == []
    trusted = Dns(services=(DnsService("bank", "dns"),))
    assert _blocks(_resolve(facts, trusted)) == ["6.6.6.6/32"]


def test_on_cilium_the_cache_is_named_by_label_too_and_the_rest_is_said() -> None:
    found = _resolve(_node_cache("-localip", "169.254.20.10"), cilium=True)
    labels = {"matchLabels": {"k8s-app": "node-local-dns"}}
    assert labels in [peer.get("podSelector") for grant in found.grants for peer in grant.peers]
    assert _reasons(found) == ["NodeLocalOnCilium"]


AUTO_NODE = Node(labels={"eks.amazonaws.com/compute-type": "auto"})
KUBERNETES = Service("default", "kubernetes", {}, ("172.20.0.1",), {}, ())


@pytest.mark.parametrize(
    ("facts", "address"),
    [
        (Facts(services=(KUBERNETES,), nodes=(AUTO_NODE,)), "172.20.0.10/32"),
        (Facts(services=(KUBERNETES,), groups=frozenset({"eks.amazonaws.com"})), "172.20.0.10/32"),
        (
            Facts(
                (msgspec.structs.replace(KUBERNETES, addresses=("fd12::1",)),), nodes=(AUTO_NODE,)
            ),
            "fd12::a/128",
        ),
    ],
)
def test_eks_auto_mode_asks_the_tenth_address(facts: Facts, address: str) -> None:
    assert _blocks(_resolve(facts)) == [address]


def test_eks_auto_mode_beside_other_nodes_asks_the_address_of_the_service() -> None:
    facts = Facts((KUBERNETES, SERVICE), (_slice(53),), (AUTO_NODE,))
    assert _blocks(_resolve(facts)) == ["10.96.0.10/32"]


def test_eks_auto_mode_without_any_address_is_said() -> None:
    found = _resolve(Facts(nodes=(AUTO_NODE,)))
    assert _reasons(found) == ["ResolverAddressUnknown", "DnsNotFound"]


def test_other_node_labels_mean_nothing() -> None:
    node = Node(labels={"eks.amazonaws.com/compute-type": "fargate"}, kubelet="v1.36.0")
    assert _reasons(_resolve(Facts(services=(KUBERNETES,), nodes=(node,)))) == ["DnsNotFound"]


@pytest.mark.parametrize(
    ("config", "said"),
    [(Dns(), "new namespaces wait"), (Dns(whenNotFound="deny-only"), "DNS included")],
)
def test_what_follows_from_no_dns_is_said(config: Dns, said: str) -> None:
    assert said in _resolve(Facts(), config).problems[0].message
