"""What the generated policies do together: DNS over UDP and TCP, what the case names, and no more.

Judged by the computation of effective policies, once as if an ipBlock could mean a pod and once as
on Cilium, where it never does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import pytest

from policies.baseline import objects
from policies.baseline.dns import resolve
from policies.labels import NAME_LABEL
from policies.network_policies.effective import External, Flow, Party, Pods, allowed
from policies.network_policies.views import NetworkPolicy
from tests.policies.baseline.given import End, Given, names

PORTS = (53, 80, 443, 1053, 5353, 5678, 6443, 8053, 8080, 9090, 9153, 15008, 15012)
OUTSIDE = ("1.1.1.1", "10.1.2.3", "169.254.169.254", "192.168.178.10", "6.6.6.6", "2001:db8::7")
POD = Pods("shop", {NAME_LABEL: "shop"}, {"app": "web"}, ("10.244.9.9", "fd00:10:244::99"))


class _Try(NamedTuple):
    """The other end by its name, a protocol and a port."""

    other: str
    protocol: str
    port: int


def _view(given: Given) -> tuple[NetworkPolicy, ...]:
    text = msgspec.json.encode(given.manifests_wanted())
    return msgspec.json.decode(text, type=tuple[NetworkPolicy, ...])


def _others(given: Given) -> dict[str, Party]:
    """Pods by name and addresses: those of the case, and others that nobody has to reach."""
    case = given.case
    ends = (*case.resolvers, *case.alsoAllowed, *case.admits, *case.denied)
    named = {end.address: given.party(end) for end in ends if end.address}
    return {**given.parties(), **{one: External(one) for one in OUTSIDE}, **named}


def _ports(given: Given) -> set[int]:
    case = given.case
    ends = (*case.resolvers, *case.alsoAllowed, *case.admits, *case.denied)
    return {*PORTS, *(end.port for end in ends if end.port)}


def _expected(given: Given, ends: tuple[End, ...]) -> set[_Try]:
    return {
        _Try(end.pod or end.address or "", protocol, port)
        for end in ends
        for port in (_ports(given) if end.everyPort else {end.port})
        for protocol in end.protocols
    }


def _tries(given: Given) -> Iterator[tuple[_Try, Party]]:
    for name, party in _others(given).items():
        for protocol in ("UDP", "TCP"):
            for port in _ports(given):
                yield _Try(name, protocol, port), party


GENERATING = [name for name in names() if not Given(name).plan().hold]


@pytest.mark.parametrize("ip_blocks_match_pods", [True, False])
@pytest.mark.parametrize("name", GENERATING)
def test_pods_reach_their_resolvers_over_both_protocols_and_nothing_else(
    name: str, ip_blocks_match_pods: bool
) -> None:
    given = Given(name)
    policies = _view(given)
    reached = {
        one
        for one, party in _tries(given)
        if allowed(
            policies,
            Flow(POD, party, one.protocol, one.port),
            ip_blocks_match_pods=ip_blocks_match_pods,
        )
    }
    if given.case.everythingOut:
        assert reached == {one for one, _ in _tries(given)}
    else:
        assert reached == _expected(given, (*given.case.resolvers, *given.case.alsoAllowed))


@pytest.mark.parametrize("name", GENERATING)
def test_nobody_reaches_pods_but_who_is_admitted(name: str) -> None:
    given = Given(name)
    policies = _view(given)
    admitted = {
        one
        for one, party in _tries(given)
        if allowed(policies, Flow(party, POD, one.protocol, one.port))
    }
    assert admitted == _expected(given, given.case.admits)


@pytest.mark.parametrize("name", names())
def test_what_is_held_generates_nothing_and_says_why(name: str) -> None:
    plan = Given(name).plan()
    assert plan.hold == (not plan.generated)
    if plan.hold:
        assert "DnsNotFound" in {problem.reason for problem in plan.problems}


@pytest.mark.parametrize("name", names())
def test_cilium_is_recognised_where_it_is(name: str) -> None:
    given = Given(name)
    assert given.environment().cni.ip_blocks_match_pods != given.case.cilium


def test_waypoints_alone_reach_istiod_in_ambient_mode() -> None:
    given = Given("mesh-istio-ambient")
    policies, istiod = _view(given), given.parties()["istiod-1"]
    waypoint = POD._replace(labels={"gateway.istio.io/managed": "istio.io-mesh-controller"})
    assert allowed(policies, Flow(waypoint, istiod, "TCP", 15012))
    assert not allowed(policies, Flow(POD, istiod, "TCP", 15012))


def test_without_dns_in_the_policies_there_is_no_dns() -> None:
    """The judge can tell: the same flows without allow-dns are denied."""
    given = Given("kubeadm")
    without = [one for one in _view(given) if one.metadata and one.metadata.name != "allow-dns"]
    target = given.parties()["coredns-1"]
    assert allowed(_view(given), Flow(POD, target, "UDP", 53))
    assert not allowed(without, Flow(POD, target, "UDP", 53))


@pytest.mark.parametrize("name", names())
def test_who_is_hidden_behind_a_label_of_another_namespace_gets_nothing(name: str) -> None:
    """Every peer that is a pod names its namespace by the label that nobody can fake."""
    given = Given(name)
    for grant in resolve(given.config.dns, given.facts()).grants:
        for peer in grant.peers:
            selector = peer.get("namespaceSelector", {})
            assert "ipBlock" in peer or NAME_LABEL in selector["matchLabels"]


@pytest.mark.parametrize("name", GENERATING)
def test_dns_is_applied_first_and_what_denies_last(name: str) -> None:
    generated = [one.name for one in Given(name).plan().generated]
    assert generated[-1] == "default-deny"
    assert "allow-dns" not in generated[1:]
    assert len(set(generated)) == len(generated)


def test_what_denies_is_the_same_everywhere() -> None:
    denying = {
        msgspec.json.encode(one.spec, order="sorted")
        for name in GENERATING
        for one in Given(name).plan().generated[-1:]
    }
    assert denying == {msgspec.json.encode(objects.DENY_SPEC, order="sorted")}
