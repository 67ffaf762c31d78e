"""Together with the other policies of its namespace: who undoes the default-deny, and who not."""

from __future__ import annotations

import pytest

from policies.model import CREATE, NoParams, Request, Violation
from policies.network_policies.baseline_cancelled import MOST_SELECTORS, validate
from tests.policies.network_policies.given import Json, policy, view, views

UNDER_BASELINE = {"netreeve.io/baseline": "default-deny"}


def managed(name: str, spec: Json) -> Json:
    one = policy(spec, name)
    labels = {"app.kubernetes.io/managed-by": "netreeve", "netreeve.io/baseline": "default-deny"}
    return {**one, "metadata": {**one["metadata"], "labels": labels}}


DENY = managed("default-deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
DNS = managed(
    "allow-dns",
    {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [{"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
                "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
            }
        ],
    },
)


def egress(*cidrs: str, name: str = "own", **pods: str) -> Json:
    spec = {
        "podSelector": {"matchLabels": pods},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"ipBlock": {"cidr": cidr}}]} for cidr in cidrs],
    }
    return policy(spec, name)


def found(own: Json, others: list[Json] | None) -> list[Violation]:
    request = Request(
        operation=CREATE,
        group="networking.k8s.io",
        resource="networkpolicies",
        namespace="shop",
        namespaceLabels=UNDER_BASELINE,
        otherPolicies=None if others is None else views(others),
    )
    return list(validate(view(own), request, NoParams()))


LOW, HIGH = "0.0.0.0/1", "128.0.0.0/1"


def test_a_half_is_completed_by_another_policy() -> None:
    (one,) = found(egress(LOW), [DENY, DNS, egress(HIGH, name="other")])
    assert one.field == "spec.egress"
    assert "any IPv4 address on any port (together with other)" in one.message


def test_a_half_stays_a_half() -> None:
    assert found(egress(LOW), None) == []
    assert found(egress(LOW), [DENY, DNS]) == []
    assert found(egress(LOW), [DENY, DNS, egress(LOW, name="other")]) == []


def test_the_stored_version_of_the_policy_is_not_another_one() -> None:
    assert found(egress(LOW), [DENY, DNS, egress(HIGH)]) == []


@pytest.mark.parametrize(
    ("own", "other", "undone"),
    [
        ({}, {}, True),
        ({"app": "web"}, {}, True),
        ({"app": "web"}, {"app": "web"}, True),
        ({"app": "web", "tier": "front"}, {"tier": "front"}, True),
        ({}, {"app": "web"}, True),
        ({"app": "web"}, {"tier": "front"}, True),  # a pod may have both
        ({"app": "web"}, {"app": "db"}, False),
    ],
)
def test_policies_add_up_for_pods_that_both_select(
    own: dict[str, str], other: dict[str, str], undone: bool
) -> None:
    others = [DENY, DNS, egress(HIGH, name="other", **other)]
    assert bool(found(egress(LOW, **own), others)) is undone


def thirds(*selectors: dict[str, str]) -> list[Json]:
    """Policies that allow every TCP port to everybody if one pod is selected by all three."""
    ranges = ((1, 20000), (20001, 40000), (40001, 65535))
    return [
        policy(
            {
                "podSelector": {"matchLabels": labels},
                "ingress": [{"ports": [{"port": first, "endPort": last}]}],
            },
            f"third-{first}",
        )
        for labels, (first, last) in zip(selectors, ranges, strict=True)
    ]


@pytest.mark.parametrize("own", [0, 1, 2])
def test_three_labels_of_one_pod_add_up_whichever_policy_comes_last(own: int) -> None:
    every = thirds({"a": "1"}, {"b": "1"}, {"c": "1"})
    decoys = thirds({"a": "2"}, {"b": "2"}, {"c": "2"})
    for decoy in decoys:
        decoy["metadata"]["name"] += "-decoy"
    others = [DENY, *decoys, *(one for one in every if one is not every[own])]
    (one,) = found(every[own], others)
    assert one.field == "spec.ingress"
    assert "any TCP port (together with third-" in one.message
    assert "for pods that all of them select" in one.message


def test_labels_that_no_pod_has_at_once_add_up_to_nothing() -> None:
    one, *others = thirds({"a": "1"}, {"b": "1"}, {"a": "2", "b": "1"})
    assert found(one, [DENY, *others]) == []


def test_more_selectors_than_can_be_combined_are_found_instead() -> None:
    """Nobody hides one policy among many; who opens nothing to everybody is not counted."""
    low, middle, high = thirds({"a": "1"}, {"b": "1"}, {"c": "1"})
    many = [{**middle, "metadata": {"name": f"m{number}", "namespace": "shop"},
             "spec": {**middle["spec"], "podSelector": {"matchLabels": {"n": str(number)}}}}
            for number in range(MOST_SELECTORS)]  # fmt: skip
    assert found(low, [DENY, *many]) == []
    (one,) = found(low, [DENY, high, *many])
    assert "different podSelectors" in one.message


def test_who_comes_later_is_not_blamed_for_what_was_open() -> None:
    everything = policy({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}, "open")
    assert found(egress(LOW), [DENY, DNS, everything]) == []


def test_who_opens_everything_alone_is_found_whatever_else_is_open() -> None:
    everything = policy({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}, "open")
    (one,) = found(
        {**everything, "metadata": {"name": "again", "namespace": "shop"}}, [DENY, everything]
    )
    assert one.field == "spec.egress[0]"


class TestTheBaselineItself:
    everything = policy({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]})
    ingress_only = managed("default-deny", {"podSelector": {}, "policyTypes": ["Ingress"]})

    def test_a_baseline_without_egress_has_nothing_to_undo_there(self) -> None:
        assert found(self.everything, [self.ingress_only]) == []

    def test_but_it_has_in_the_other_direction(self) -> None:
        opening = policy({"podSelector": {}, "ingress": [{}]})
        assert [one.field for one in found(opening, [self.ingress_only])] == ["spec.ingress[0]"]

    def test_a_baseline_that_opens_egress_itself_has_nothing_to_undo(self) -> None:
        open_egress = managed("allow-egress", {**self.everything["spec"]})
        assert found(self.everything, [DENY, open_egress]) == []

    @pytest.mark.parametrize("others", [None, [], [DNS]], ids=["unknown", "none yet", "not all"])
    def test_a_baseline_that_is_not_there_yet_is_expected(self, others: list[Json] | None) -> None:
        assert [one.field for one in found(self.everything, others)] == ["spec.egress[0]"]

    def test_a_policy_of_that_name_that_is_not_managed_is_no_baseline(self) -> None:
        users = policy({"podSelector": {}, "policyTypes": ["Ingress"]}, "default-deny")
        assert [one.field for one in found(self.everything, [users])] == ["spec.egress[0]"]


def many(count: int, *cidrs: str) -> list[Json]:
    return [egress(*cidrs, name=f"other-{index}") for index in range(count)]


def test_policies_that_are_too_many_to_be_judged_together_are_what_is_found() -> None:
    blocks = [f"198.51.{index}.0/24" for index in range(100)]
    (one,) = found(egress(HIGH), [DENY, *many(51, *blocks)])  # 51 times 100 rules of a block
    assert (one.field, one.keys) == ("spec", ("",))
    assert "over 10000 entries" in one.message
    assert not found(egress(HIGH), [DENY, *many(49, *blocks)])
    assert found(egress(HIGH), [DENY, egress(LOW, name="low"), *many(48, *blocks)])


def test_they_do_not_matter_to_what_opens_nothing_or_all_by_itself() -> None:
    others = [DENY, *many(11, *["198.51.100.0/24"] * 500)]
    peers = {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {}}]}],
    }
    assert not found(policy(peers, "own"), others)
    assert [one.field for one in found(egress("0.0.0.0/0"), others)] == ["spec", "spec.egress[0]"]


def test_a_baseline_that_denies_nothing_is_seen_among_too_many() -> None:
    ingress_only = managed("default-deny", {"podSelector": {}, "policyTypes": ["Ingress"]})
    others = [ingress_only, *many(11, *["198.51.100.0/24"] * 500)]
    assert not found(egress("0.0.0.0/0"), others)
