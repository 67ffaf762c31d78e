"""What policies allow together: equal to the brute-force oracle, and the corners by hand."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.network_policies.effective import (
    Direction,
    External,
    Flow,
    Pods,
    allowed,
    allows,
    in_block,
    side,
    types,
)
from policies.network_policies.views import IPBlock
from tests.policies.network_policies import oracle
from tests.policies.network_policies.given import (
    NAMESPACES,
    OUTSIDE,
    PODS,
    PORTS,
    PROTOCOLS,
    Json,
    party,
    peers,
    pod_selectors,
    policies,
    policy,
    ports,
    specs,
    view,
    views,
)

ENDS = [
    (source, target)
    for source, target in product((*PODS, *OUTSIDE), repeat=2)
    if "namespace" in source or "namespace" in target
]


flows = st.tuples(st.sampled_from(PROTOCOLS), st.sampled_from(PORTS), st.booleans())


def check_all(manifests: list[Json], protocol: str, port: int, cilium: bool) -> None:
    """Every pair of ends gets the oracle's answer."""
    read = views(manifests)
    for source, target in ENDS:
        flow = Flow(party(source), party(target), protocol, port)
        assert allowed(read, flow, ip_blocks_match_pods=not cilium) == oracle.reachable(
            manifests, (source, target), protocol, port, cilium=cilium
        ), (source, target)


@settings(max_examples=200, deadline=None)
@given(st.lists(policies, max_size=4), flows)
def test_it_is_what_the_oracle_says(manifests: list[Json], flow: tuple[str, int, bool]) -> None:
    check_all(manifests, *flow)


@settings(max_examples=200, deadline=None)
@given(pod_selectors, st.lists(peers, min_size=1, max_size=2), flows, st.booleans())
def test_peers_alone_mean_what_the_oracle_says(
    pods: Json, some: list[Json], flow: tuple[str, int, bool], ingress: bool
) -> None:
    rules = {"ingress": [{"from": some}]} if ingress else {"egress": [{"to": some}]}
    check_all(
        [policy({"podSelector": pods, "policyTypes": [next(iter(rules)).title()], **rules})], *flow
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(ports, min_size=1, max_size=2), flows, st.booleans())
def test_ports_alone_mean_what_the_oracle_says(
    some: list[Json], flow: tuple[str, int, bool], ingress: bool
) -> None:
    direction = "Ingress" if ingress else "Egress"
    check_all([policy({"policyTypes": [direction], direction.lower(): [{"ports": some}]})], *flow)


@given(specs)
def test_policy_types_default_as_the_documentation_says(spec: Json) -> None:
    read = view(policy(spec)).spec
    assert read is not None
    assert {one.value for one in types(read)} == set(oracle.policy_types(spec))


DENY: Json = policy({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}, "default-deny")
CLUSTER_DNS: Json = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}
DNS_PORTS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
DNS_POD = Pods("kube-system", NAMESPACES["kube-system"], {"k8s-app": "kube-dns"}, ("10.244.0.2",))
CLIENT = Pods("shop", NAMESPACES["shop"], {}, ("10.244.1.9",))


def dns(peer: Json, ports: list[Json] = DNS_PORTS) -> list[Json]:
    spec = {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [peer], "ports": ports}],
    }
    return [DENY, policy(spec, "allow-dns")]


class TestOnCilium:
    """As measured on an agent: an ipBlock never means a pod, whatever addresses it holds."""

    @pytest.mark.parametrize("protocol", ["UDP", "TCP"])
    def test_the_label_form_gives_dns_and_nothing_else(self, protocol: str) -> None:
        read = views(dns(CLUSTER_DNS))
        for port in PORTS:
            flow = Flow(CLIENT, DNS_POD, protocol, port)
            assert allowed(read, flow, ip_blocks_match_pods=False) == (port == 53)
        elsewhere = Flow(CLIENT, External("192.0.2.9"), protocol, 53)
        assert not allowed(read, elsewhere, ip_blocks_match_pods=False)

    @pytest.mark.parametrize("cidr", ["10.244.0.2/32", "10.244.0.0/16", "0.0.0.0/0"])
    def test_no_block_gives_dns(self, cidr: str) -> None:
        read = views(dns({"ipBlock": {"cidr": cidr}}))
        flow = Flow(CLIENT, DNS_POD, "UDP", 53)
        assert not allowed(read, flow, ip_blocks_match_pods=False)
        assert allowed(read, flow)  # other plugins may match it

    def test_udp_alone_leaves_dns_over_tcp_shut(self) -> None:
        read = views(dns(CLUSTER_DNS, [{"protocol": "UDP", "port": 53}]))
        assert not allowed(read, Flow(CLIENT, DNS_POD, "TCP", 53), ip_blocks_match_pods=False)

    def test_a_block_still_means_what_is_outside(self) -> None:
        read = views(dns({"ipBlock": {"cidr": "192.0.2.0/24"}}))
        flow = Flow(CLIENT, External("192.0.2.9"), "UDP", 53)
        assert allowed(read, flow, ip_blocks_match_pods=False)


class TestWhoIsWho:
    def test_a_pod_reaches_itself_by_its_address(self) -> None:
        assert allowed(views([DENY]), Flow(CLIENT, CLIENT, "TCP", 80))

    def test_two_pods_of_one_template_are_not_one(self) -> None:
        replica = CLIENT._replace(ips=())
        assert not allowed(views([DENY]), Flow(replica, replica, "TCP", 80))

    def test_both_ends_must_allow_the_same_ip_family(self) -> None:
        both = CLIENT._replace(ips=("10.0.0.1", "fd00::1"), labels={"app": "web"})
        other = CLIENT._replace(ips=("10.0.0.2", "fd00::2"))
        to_v4 = policy(
            {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}], "policyTypes": ["Egress"]}
        )
        from_v6 = policy({"ingress": [{"from": [{"ipBlock": {"cidr": "::/0"}}]}]})
        assert allowed(views([to_v4]), Flow(both, other, "TCP", 80))
        assert allowed(views([from_v6]), Flow(both, other, "TCP", 80))
        assert not allowed(views([to_v4, from_v6]), Flow(both, other, "TCP", 80))

    def test_a_policy_without_a_namespace_isolates_no_pod(self) -> None:
        nowhere = {**DENY, "metadata": {"name": "x"}}
        assert not side(views([nowhere]), CLIENT, Direction.EGRESS).isolated


def test_a_rule_knows_where_it_stands() -> None:
    spec: Json = {"egress": [{}, {"to": [{"podSelector": {}}], "ports": [{"port": 80}]}]}
    first, second = allows(view(policy(spec)), Direction.EGRESS)
    assert (first.field, first.policy, first.namespace) == ("spec.egress[0]", "own", "shop")
    assert (second.field, second.peer_field(0)) == ("spec.egress[1]", "spec.egress[1].to[0]")
    assert first.everything
    assert not second.everything
    assert allows(view(policy(spec)), Direction.INGRESS) == ()


@pytest.mark.parametrize(
    ("cidr", "holes", "inside"),
    [
        ("10.0.0.0/8", [], True),
        ("10.1.2.3/8", [], True),
        ("::ffff:10.0.0.0/104", [], True),
        ("10.0.0.0/8", ["10.0.0.0/24"], False),
        ("10.0.0.0/8", ["nonsense", "fd00::/8"], True),
        ("::/0", [], False),
        ("nonsense", [], False),
        ("", [], False),
    ],
)
def test_a_block_holds_an_address(cidr: str, holes: list[str], inside: bool) -> None:
    assert in_block(IPBlock(cidr, holes), "10.0.0.1") is inside
