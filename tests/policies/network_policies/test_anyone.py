"""What counts as everybody on every port, and that a packet of everybody then passes."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.network_policies.anyone import Opening, describe, gaps, openings
from policies.network_policies.effective import Direction, allows
from tests.policies.network_policies import oracle
from tests.policies.network_policies.given import (
    OUTSIDE,
    PODS,
    Json,
    policy,
    rules,
    view,
)

TCP4, TCP6 = Opening("TCP", 4), Opening("TCP", 6)
UDP4, UDP6 = Opening("UDP", 4), Opening("UDP", 6)
SCTP4, SCTP6 = Opening("SCTP", 4), Opening("SCTP", 6)
ALL4, ALL6 = {TCP4, UDP4, SCTP4}, {TCP6, UDP6, SCTP6}


def opened(*rules: Json) -> frozenset[Opening]:
    return openings(allows(view(policy({"egress": list(rules)})), Direction.EGRESS))


def block(cidr: str, *holes: str) -> Json:
    return {"ipBlock": {"cidr": cidr, "except": list(holes)}}


def to(*peers: Json) -> Json:
    return {"to": list(peers)}


@pytest.mark.parametrize(
    ("peers", "everybody"),
    [
        ([block("0.0.0.0/0")], ALL4),
        ([block("::/0")], ALL6),
        ([block("0.0.0.0/0"), block("::/0")], ALL4 | ALL6),
        ([block("0.0.0.0/1"), block("128.0.0.0/2"), block("192.0.0.0/2")], ALL4),
        ([block("0.0.0.0/1"), block("192.0.0.0/2")], set()),
        (
            [
                block("1.0.0.0/8"),
                block("2.0.0.0/7"),
                block("4.0.0.0/6"),
                block("8.0.0.0/5"),
                block("16.0.0.0/4"),
                block("32.0.0.0/3"),
                block("64.0.0.0/2"),
                block("128.0.0.0/2"),
                block("192.0.0.0/3"),
            ],
            ALL4,
        ),  # 0.0.0.0/8 and multicast are nobody
        ([block("2000::/3"), block("fc00::/7")], ALL6),
        ([block("2000::/3")], set()),
        ([block("0.0.0.0/0", "169.254.0.0/16", "127.0.0.0/8", "203.0.113.0/24")], ALL4),
        ([block("0.0.0.0/0", "8.8.8.8/32")], ALL4),
        ([block("0.0.0.0/0", "10.1.2.0/24")], set()),
        ([block("::/0", "2001:4860:4860::8888/128")], ALL6),
        ([block("::/0", "fd00:10:244::/64")], set()),
        ([block("0.0.0.0/0", "10.0.0.0/8"), block("10.0.0.0/8")], ALL4),
        ([block("0.0.0.0/0", "10.0.0.0/8"), block("10.0.0.0/8", "10.1.0.0/16")], set()),
        ([block("0.0.0.0/0", "::a00:0/104")], ALL4),  # a hole of the other family is none
        ([block("::ffff:0:0/96")], ALL4),
        ([{"namespaceSelector": {}}], set()),
        ([{"podSelector": {}}, block("0.0.0.0/0")], ALL4),
        ([block("nonsense"), block("10.0.0.0/8", "nonsense")], set()),
    ],
)
def test_which_peers_are_everybody(peers: list[Json], everybody: set[Opening]) -> None:
    assert opened(to(*peers)) == everybody
    assert opened(*(to(peer) for peer in peers)) == everybody


@pytest.mark.parametrize(
    ("ports", "found"),
    [
        ([{}], {TCP4, TCP6}),
        ([{"protocol": "UDP"}], {UDP4, UDP6}),
        ([{"protocol": one} for one in ("TCP", "UDP", "SCTP")], ALL4 | ALL6),
        ([{"port": 1, "endPort": 65535}], {TCP4, TCP6}),
        ([{"port": 0, "endPort": 65535}], {TCP4, TCP6}),
        ([{"port": 2, "endPort": 65535}], set()),
        ([{"port": 1, "endPort": 65534}], set()),
        ([{"port": 1, "endPort": 80}, {"port": 81, "endPort": 65535}], {TCP4, TCP6}),
        ([{"port": 1, "endPort": 79}, {"port": 81, "endPort": 65535}], set()),
        ([{"port": 1, "endPort": 79}, {"port": 81, "endPort": 65535}, {"port": "http"}], set()),
        ([{"port": 80, "endPort": 65535}, {"port": 1, "endPort": 100}], {TCP4, TCP6}),
        ([{"port": 80}], set()),
    ],
)
def test_which_ports_are_every_port(ports: list[Json], found: set[Opening]) -> None:
    assert opened({"ports": ports}) == found
    assert opened(*({"ports": [port]} for port in ports)) == found


def test_rules_with_the_same_ports_add_up_and_then_the_ports_do() -> None:
    low, high = [{"port": 1, "endPort": 100}], [{"port": 100, "endPort": 65535}]
    half, other = block("0.0.0.0/1"), block("128.0.0.0/1")
    quarters = [
        {"to": [half], "ports": low},
        {"to": [other], "ports": low},
        {"to": [half], "ports": high},
        {"to": [other], "ports": high},
    ]
    assert opened(*quarters) == {TCP4}
    for left_out in range(4):
        assert opened(*quarters[:left_out], *quarters[left_out + 1 :]) == frozenset()


def test_no_rule_opens_nothing() -> None:
    assert opened() == frozenset()


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (ALL4 | ALL6, "any peer on any port"),
        (ALL4, "any IPv4 address on any port"),
        ({TCP6}, "any IPv6 address on any TCP port"),
        ({TCP4, TCP6, UDP4, UDP6}, "any peer on any TCP or UDP port"),
    ],
)
def test_it_is_described(found: set[Opening], text: str) -> None:
    assert describe(found) == text


SOME_IPS = [ip for end in (*PODS, *OUTSIDE) for ip in end.get("ips", [end.get("ip")])]


@given(st.lists(rules("to"), max_size=4), st.integers(1, 65535))
def test_what_is_open_lets_packets_of_everybody_pass(some: list[Json], port: int) -> None:
    """Up to addresses in `except` of which there are few, or which are nobody's."""
    spec = {"policyTypes": ["Egress"], "egress": some}
    for protocol, family in openings(allows(view(policy(spec)), Direction.EGRESS)):
        for ip in SOME_IPS:
            if ip_address(ip).version == family and ip not in _EXCEPTED:
                packet = oracle.Packet(PODS[0], "", {"ip": ip}, ip, protocol, port)
                assert oracle.leaves([policy(spec)], packet, cilium=False)


_EXCEPTED = ("10.0.1.1", "198.51.100.7", "192.0.2.9", "2001:db8::7")


@given(
    st.lists(st.tuples(st.integers(-3, 23), st.integers(-3, 23)).map(sorted).map(tuple)),
    st.integers(0, 10),
    st.integers(10, 20),
)
def test_gaps_are_what_no_span_covers(spans: list[tuple[int, int]], first: int, last: int) -> None:
    found = [number for a, b in gaps(spans, first, last) for number in range(a, b + 1)]
    covered = {number for a, b in spans for number in range(a, b + 1)}
    assert found == [number for number in range(first, last + 1) if number not in covered]
