"""What is registered is what the policies judge: nothing is forgotten, nothing comes on top."""

from __future__ import annotations

from policies import catalogue
from policies.model import CREATE, DELETE, UPDATE, WRITES, Rule
from webhook.admission.lanes import lanes
from webhook.admission.proof import RULE as PROOF
from webhook.config import GateConfig, ruleset
from webhook.config.registration import CLUSTER_SCOPED, registered, text

RULES = registered(catalogue())


def keys(rules: tuple[Rule, ...]) -> set[tuple[str, str, str]]:
    return {(one, rule.group, rule.resource) for rule in rules for one in rule.operations}


def test_every_lane_of_the_gate_is_reached_and_nothing_else_is_sent() -> None:
    """The gate's own table says what it answers; of proofs no API server ever asks."""
    config = GateConfig(mesh=None)
    table = {key: lane for key, lane in lanes(ruleset(config)).items() if key not in keys((PROOF,))}
    assert keys(RULES.validating) == {key for key, lane in table.items() if lane.validating}
    changing = {key for key, lane in table.items() if lane.mutating or lane.early}
    assert changing <= keys(RULES.mutating)
    stamped = {
        (operation, rule.group, rule.resource)
        for rule in RULES.validating
        for operation in WRITES
        if "/" not in rule.resource
    }
    assert keys(RULES.mutating) == changing | stamped


def test_each_policy_is_asked_where_it_answers() -> None:
    for policy in catalogue():
        wanted = keys(policy.rules)
        if policy.validate:
            assert wanted <= keys(RULES.validating), policy.id
        if policy.mutate or policy.early:
            assert wanted <= keys(RULES.mutating), policy.id


def test_what_is_easily_forgotten_is_there() -> None:
    assert (UPDATE, "", "pods/ephemeralcontainers") in keys(RULES.validating)
    assert (UPDATE, "", "services/status") in keys(RULES.validating)
    assert (DELETE, "networking.k8s.io", "networkpolicies") in keys(RULES.validating)
    assert (CREATE, "", "services") in keys(RULES.mutating)
    assert {("", "namespaces")} == CLUSTER_SCOPED


def test_patches_are_never_asked_for_where_the_api_server_takes_none() -> None:
    """On DELETE a patch is an internal error, whatever the failure policy says."""
    assert {one for rule in RULES.mutating for one in rule.operations} == WRITES


def test_the_text_is_the_same_every_time() -> None:
    assert text() == text()
    assert "nodes" not in text()
    assert "leases" not in text()
