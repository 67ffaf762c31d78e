"""Blanket exemptions: of a namespace, and of the configuration."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from policies.model import Request, User
from tests.admission.exempting import ANNA, JANE, stamp_of
from tests.exemptions.world import NOW, TOMORROW, World, claim, namespace, node_port, pod, workload
from webhook.admission.gate import Gate, Review
from webhook.config import load, ruleset
from webhook.exemptions.claim import DAY


class TestNamespaces:
    def test_it_holds_for_everything_inside(self, world: World) -> None:
        world.rights = {(ANNA, "host-network", "")}
        assert world.send(ANNA, "namespaces", namespace(claim())).allowed
        world.asked.clear()
        answer = world.send(JANE, "pods", pod())
        assert answer.allowed
        assert answer.warnings[0].endswith("(exempt until 2027-06-30)")
        assert not world.send(JANE, "pods", pod(host_network=False, host_port=80)).allowed
        assert not world.send(JANE, "pods", pod(), where="prod").allowed
        assert not world.asked

    def test_what_it_lifts_does_not_slip_under_another_exemption(self, world: World) -> None:
        """When the namespace's has ended, the pods would still carry the one of the workload."""
        both = claim("host-network", "host-port")
        stored = world.send(ANNA, "deployments", workload(both, host_network=False, host_port=80))
        world.rights.add((ANNA, "host-network", ""))
        world.send(ANNA, "namespaces", namespace(claim()))
        moved = copy.deepcopy(stored.object)
        moved["spec"]["template"]["spec"] = workload()["spec"]["template"]["spec"]
        refused = world.send(JANE, "deployments", moved)
        assert "or remove that exemption: the object is exempt without it" in refused.text
        without = copy.deepcopy(moved)
        without["spec"]["template"]["metadata"]["annotations"] = {}
        assert world.send(JANE, "deployments", without).allowed
        assert world.replica_set().allowed
        around = copy.deepcopy(world.store["namespaces", "", "dev"])
        around["metadata"]["annotations"] = {}
        assert world.send(JANE, "namespaces", around).allowed
        assert not world.replica_set(digest="7c9").allowed
        assert not world.send(JANE, "deployments", moved).allowed

    def test_it_takes_the_right_in_the_whole_cluster(self, world: World) -> None:
        answer = world.send(ANNA, "namespaces", namespace(claim()))
        assert "may exempt from host-network in the whole cluster: anna may not" in answer.text

    def test_annotations_from_before_the_gate_are_none(self, world: World) -> None:
        world.send(JANE, "namespaces", namespace(claim()), mutating=False, validating=False)
        assert not world.send(JANE, "pods", pod()).allowed

    def test_a_stamp_of_another_namespace_is_none(self, world: World) -> None:
        world.rights = {(ANNA, "host-network", "")}
        stored = world.send(ANNA, "namespaces", namespace(claim(), "prod")).object
        world.store["namespaces", "", "dev"] = {"metadata": {**stored["metadata"], "name": "dev"}}
        assert not world.send(JANE, "pods", pod()).allowed
        assert world.send(JANE, "pods", pod(), where="prod").allowed

    def test_it_ends(self, world: World) -> None:
        world.rights = {(ANNA, "host-network", "")}
        world.send(ANNA, "namespaces", namespace(claim(until=TOMORROW)))
        assert world.send(JANE, "pods", pod(name="one")).allowed
        world.now += 2 * DAY
        assert not world.send(JANE, "pods", pod(name="two")).allowed


CONFIGURED = """
apiVersion: netreeve.io/v1alpha1
kind: GateConfig
exemptions:
  granted:
    - policies: [host-network]
      namespaces: [monitoring]
      reason: The node exporter reads the node's counters.
      until: 2026-12-31
    - policies: [node-port]
      users: [carl]
      serviceAccounts: [ci/deployer]
      reason: The platform team opens ports by hand.
      until: never
    - policies: [host-port]
      groups: [net-admins]
      namespaces: [edge]
      reason: They run the edge proxies there.
      until: never
"""


class TestConfiguration:
    @pytest.mark.parametrize(
        ("user", "where", "policy", "allowed"),
        [
            (User(JANE), "monitoring", "host-network", True),
            (User(JANE), "monitoring", "host-port", False),
            (User(JANE), "monitoring2", "host-network", False),
            (User("carl"), "dev", "node-port", True),
            (User("carl"), "dev", "host-network", False),
            (User("system:serviceaccount:ci:deployer"), "dev", "node-port", True),
            (User("system:serviceaccount:ci:other"), "dev", "node-port", False),
            (User("ci/deployer"), "dev", "node-port", False),
            (User("x", groups=("net-admins",)), "edge", "host-port", True),
            (User("x", groups=("net-admins",)), "dev", "host-port", False),
            (User("x", groups=("net",)), "edge", "host-port", False),
        ],
    )
    def test_exactly_who_and_where(
        self, user: User, where: str, policy: str, *, allowed: bool
    ) -> None:
        objects: dict[str, tuple[str, str, Any]] = {
            "host-network": ("pods", "Pod", pod()),
            "host-port": ("pods", "Pod", pod(host_network=False, host_port=80)),
            "node-port": ("services", "Service", node_port()),
        }
        resource, kind, obj = objects[policy]
        request = Request(
            operation="CREATE", group="", resource=resource, kind=kind, namespace=where,
            name="web", user=user,
        )  # fmt: skip
        verdict = Gate(ruleset(load(CONFIGURED))).validate(
            Review(request, json.dumps(obj).encode(), None, NOW)
        )
        assert verdict.allowed is allowed
        (finding,) = verdict.findings
        assert (finding.exempt is not None) is allowed

    def test_it_ends(self) -> None:
        world = World(ruleset(load(CONFIGURED)))
        assert world.send(JANE, "pods", pod(name="one"), where="monitoring").allowed
        world.now += 60 * DAY
        assert not world.send(JANE, "pods", pod(name="two"), where="monitoring").allowed

    def test_before_anything_is_enforced_exemptions_are_granted_already(self) -> None:
        text = "{apiVersion: netreeve.io/v1alpha1, kind: GateConfig, stage: audit}"
        world = World(ruleset(load(text)))
        world.rights = {(ANNA, "host-network", "dev")}
        assert stamp_of(world.send(ANNA, "deployments", workload(claim())).object)
        refused = world.send(JANE, "deployments", workload(claim(), name="other"))
        assert refused.allowed
        assert stamp_of(refused.object) is None
