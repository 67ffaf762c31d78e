"""Exemptions through the gate, both passes: who gets what, what becomes of it, and when it ends."""

from __future__ import annotations

import copy
import json

import pytest

from policies.model import Request, Right, User
from tests.admission.exempting import ANNA, JANE, changed, granted, stamp_of
from tests.exemptions.world import (
    KUBE,
    NEXT_YEAR,
    NOW,
    TOMORROW,
    World,
    claim,
    node_port,
    pod,
    workload,
)
from webhook.admission.gate import Review
from webhook.config import load, ruleset
from webhook.exemptions.claim import DAY


class TestWhoMay:
    def test_with_the_right(self, world: World) -> None:
        answer = world.send(ANNA, "deployments", workload(claim()))
        assert answer.allowed
        assert answer.warnings == [
            "host-network: spec.template.spec.hostNetwork: must not be true "
            "(exempt until 2027-06-30)"
        ]
        assert stamp_of(answer.object)
        assert set(world.asked) == {(ANNA, Right("host-network", "dev"))}

    def test_without_the_right(self, world: World) -> None:
        answer = world.send(JANE, "deployments", workload(claim()))
        assert (
            "someone who may exempt from host-network in namespace dev: jane may not" in answer.text
        )
        assert "a right that was given just now counts within ten seconds" in answer.text
        assert "host-network: spec.template.spec.hostNetwork: must not be true" in answer.text
        assert stamp_of(answer.object) is None

    def test_in_another_namespace(self, world: World) -> None:
        assert not world.send(ANNA, "deployments", workload(claim()), where="prod").allowed

    def test_for_another_policy(self, world: World) -> None:
        answer = world.send(ANNA, "deployments", workload(claim("host-network", "probe-host")))
        assert "may exempt from probe-host in namespace dev: anna may not" in answer.text
        assert "may exempt from host-network" not in answer.text

    def test_a_claim_lifts_only_what_it_names(self, world: World) -> None:
        answer = world.send(ANNA, "deployments", workload(claim("host-port")))
        assert answer.text.startswith("1 violation")
        assert "host-network" in answer.text

    def test_a_claim_without_violations_needs_the_right_too(self, world: World) -> None:
        clean = workload(claim(), host_network=False)
        assert not world.send(JANE, "deployments", clean).allowed
        assert world.send(ANNA, "deployments", clean).allowed

    def test_everybody_without_a_claim(self, world: World) -> None:
        assert world.send(JANE, "deployments", workload(host_network=False)).allowed
        assert not world.asked

    def test_all_policies_take_the_right_to_all(self) -> None:
        text = "{apiVersion: netreeve.io/v1alpha1, kind: GateConfig, exemptions: {allowStar: true}}"
        world = World(ruleset(load(text)))
        world.rights = {(ANNA, "host-network", "dev"), ("root", "", "")}
        assert not world.send(ANNA, "pods", pod(claim("*"))).allowed
        assert world.send("root", "pods", pod(claim("*"))).allowed

    def test_nobody_can_be_asked(self, world: World) -> None:
        world.down = True
        answer = world.send(ANNA, "deployments", workload(claim()))
        assert "it is not known who may" in answer.text
        assert "could not be asked of the API server; try again" in answer.text
        assert "given just now" not in answer.text

    def test_what_nothing_is_exempt_from(self, world: World) -> None:
        world.rights = {("root", "", "")}
        for policy in ("baseline-guard", "baseline-pods", "ndots"):
            assert (
                "from which nothing is exempt"
                in world.send("root", "pods", pod(claim(policy))).text
            )


class TestServices:
    def test_what_is_denied_early_can_be_exempt(self, world: World) -> None:
        assert world.send(ANNA, "services", node_port(claim("node-port"), 30080)).allowed
        refused = world.send(JANE, "services", node_port(claim("node-port"), 30081))
        assert not refused.allowed

    def test_an_exemption_that_is_added_later(self, world: World) -> None:
        world.send(JANE, "services", node_port(), validating=False, mutating=False)
        assert not world.send(JANE, "services", node_port(claim("node-port"))).allowed
        answer = world.send(ANNA, "services", node_port(claim("node-port")))
        assert answer.allowed
        assert stamp_of(answer.object)


class TestUpdates:
    def test_what_leaves_the_exemption_alone_asks_nobody(self, world: World) -> None:
        stored = granted(world)
        world.asked.clear()
        scaled = copy.deepcopy(stored)
        scaled["spec"]["replicas"] = 5
        restarted = copy.deepcopy(scaled)
        restarted["spec"]["template"]["metadata"]["annotations"][
            "kubectl.kubernetes.io/restartedAt"
        ] = "now"
        relabelled = copy.deepcopy(restarted)
        relabelled["metadata"]["labels"] = {"team": "shop"}
        for one in (scaled, restarted, relabelled):
            answer = world.send(JANE, "deployments", one)
            assert answer.allowed
            assert stamp_of(answer.object) == stamp_of(stored)
        assert not world.asked

    @pytest.mark.parametrize(
        "change",
        [{"exempt": "host-network,host-port"}, {"until": "2027-07-01"}, {"until": None},
         {"reason": "Because Jane says so."}, {"ticket": "OPS-1"}, {"exempt": "*"}],
    )  # fmt: skip
    def test_what_claims_more_needs_the_right(
        self, world: World, change: dict[str, str | None]
    ) -> None:
        stored = granted(world)
        assert not world.send(JANE, "deployments", changed(stored, **change)).allowed

    def test_prolonged_by_somebody_who_may(self, world: World) -> None:
        stored = granted(world)
        answer = world.send(ANNA, "deployments", changed(stored, until="2027-07-01"))
        assert answer.allowed
        assert stamp_of(answer.object) != stamp_of(stored)

    @pytest.mark.parametrize("change", [{"until": TOMORROW}, {"exempt": "host-port"}])
    def test_what_claims_less_needs_no_right(self, world: World, change: dict[str, str]) -> None:
        stored = granted(world, "host-network", "host-port")
        answer = world.send(JANE, "deployments", changed(stored, **change))
        assert answer.allowed
        stamp = json.loads(stamp_of(answer.object) or "")
        assert stamp["by"] == ANNA
        again = changed(answer.object, until=NEXT_YEAR, exempt="host-network,host-port")
        assert not world.send(JANE, "deployments", again).allowed

    @pytest.mark.parametrize("stamp", [None, "", "{}", "forged"])
    def test_a_stamp_that_is_written_over_is_put_back(
        self, world: World, stamp: str | None
    ) -> None:
        stored = granted(world)
        answer = world.send(JANE, "deployments", changed(stored, stamp=stamp))
        assert answer.allowed
        assert stamp_of(answer.object) == stamp_of(stored)

    def test_a_movedviolation_asks_again(self, world: World) -> None:
        stored = granted(world, "host-port", host_network=False, host_port=9100)
        moved = copy.deepcopy(stored)
        moved["spec"]["template"]["spec"]["containers"][0]["ports"][0]["hostPort"] = 22
        refused = world.send(JANE, "deployments", moved)
        assert "its exemption is for what was there before" in refused.text
        assert world.send(ANNA, "deployments", moved).allowed

    def test_nobody_grants_by_touching_something_else(self, world: World) -> None:
        """A claim that was written past the gate waits for somebody who writes it, and may."""
        world.send(JANE, "deployments", workload(claim()), mutating=False, validating=False)
        planted = world.store["deployments", "dev", "web"]
        scaled = {**planted, "metadata": {**planted["metadata"], "labels": {"a": "b"}}}
        answer = world.send(ANNA, "deployments", scaled)
        assert answer.allowed
        assert stamp_of(answer.object) is None
        assert not world.replica_set().allowed
        answer = world.send(ANNA, "deployments", changed(scaled, stamp="please"))
        assert answer.allowed
        assert world.replica_set().allowed


class TestTime:
    def test_when_it_has_ended(self, world: World) -> None:
        stored = granted(world, "host-port", host_network=False, host_port=9100)
        world.now += 365 * DAY
        assert not world.replica_set().allowed
        assert "its exemption does not count: it ended with 2027-06-30" in world.replica_set().text
        assert world.send(JANE, "deployments", stored).allowed  # as it was before
        assert not world.send(JANE, "deployments", changed(stored, until="2028-01-01")).allowed
        assert world.send(ANNA, "deployments", changed(stored, until="2028-01-01")).allowed
        assert world.replica_set().allowed

    @pytest.mark.parametrize(
        ("days", "said"),
        [(20, "(exempt until 2026-12-11)"), (13, "(exempt until 2026-12-04, 13 days left)"),
         (1, "1 day left)"), (0, "(exempt until 2026-11-21, less than a day left)")],
    )  # fmt: skip
    def test_warnings_count_the_last_days(self, world: World, days: int, said: str) -> None:
        until = {20: "2026-12-11", 13: "2026-12-04", 1: "2026-11-22", 0: "2026-11-21"}[days]
        (warning,) = world.send(ANNA, "pods", pod(claim(until=until))).warnings
        assert warning.endswith(said)

    def test_without_a_time_everything_has_ended(self, world: World) -> None:
        granted(world)
        made = world.replica_set().object
        request = Request(
            operation="CREATE", group="apps", resource="replicasets", kind="ReplicaSet",
            namespace="dev", name="web-6d4cf56db6", user=User(f"{KUBE}deployment-controller"),
        )  # fmt: skip
        body = json.dumps(made).encode()
        assert world.gate.validate(Review(request, body, None, NOW)).allowed
        assert not world.gate.validate(Review(request, body)).allowed
