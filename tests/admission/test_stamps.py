"""Stamps through the gate: keys that change, and passes that are skipped or come again."""

from __future__ import annotations

import copy

from tests.admission.exempting import ANNA, JANE, changed, granted, stamp_of
from tests.exemptions.world import (
    KEY,
    OLD_KEY,
    OTHER_KEY,
    Answer,
    World,
    claim,
    node_port,
    pod,
    workload,
)
from webhook.config import load, ruleset
from webhook.exemptions.claim import UNTIL
from webhook.exemptions.stamp import Keys


class TestKeys:
    def test_a_stamp_by_the_previous_key(self, world: World) -> None:
        world.ring.keys = Keys(OLD_KEY)
        stored = granted(world)
        world.ring.keys = Keys(KEY, OLD_KEY)
        assert world.replica_set().allowed
        labelled = {**stored, "metadata": {**stored["metadata"], "labels": {"a": "b"}}}
        kept = world.send(JANE, "deployments", labelled).object
        assert stamp_of(kept) == stamp_of(stored)  # a changed template would restart the pods
        kept["spec"]["template"]["metadata"]["labels"] = {"a": "c"}
        renewed = world.send(JANE, "deployments", kept).object
        assert stamp_of(renewed) != stamp_of(stored)
        world.ring.keys = Keys(KEY)
        assert world.replica_set(digest="7c9").allowed

    def test_where_nothing_restarts_a_stamp_is_renewed_by_any_update(self, world: World) -> None:
        world.ring.keys = Keys(OLD_KEY)
        stored = world.send(ANNA, "services", node_port(claim("node-port"))).object
        world.ring.keys = Keys(KEY, OLD_KEY)
        assert stamp_of(world.send(JANE, "services", stored).object) != stamp_of(stored)

    def test_both_keys_gone(self, world: World) -> None:
        stored = granted(world)
        world.ring.keys = Keys(OTHER_KEY)
        refused = world.replica_set()
        assert "its template carries no valid stamp for this workload" in refused.text
        assert world.send(JANE, "deployments", stored).allowed
        assert not world.send(JANE, "deployments", changed(stored, stamp="x")).allowed
        assert world.send(ANNA, "deployments", changed(stored, stamp="x")).allowed
        assert world.replica_set().allowed

    def test_no_keys_at_all(self, world: World) -> None:
        world.ring.keys = None
        assert "the gate has no keys for stamps" in world.send(ANNA, "pods", pod(claim())).text


class TestPasses:
    def test_the_mutating_pass_was_skipped(self, world: World) -> None:
        answer = world.send(ANNA, "deployments", workload(claim()), mutating=False)
        assert "must be written by the gate: its mutating webhook has not seen this" in answer.text
        assert answer.text.endswith("try again\nMore: netreeve explain exemption")

    def test_a_later_webhook_prolonged_it(self, world: World) -> None:
        stamped = world.send(ANNA, "pods", pod(claim()), dry_run=True).object
        stamped["metadata"]["annotations"][UNTIL] = "2030-01-01"
        assert not world.send(ANNA, "pods", stamped, mutating=False).allowed

    def test_asked_again_nothing_changes(self, world: World) -> None:
        """Other webhooks may make the API server call the mutating pass twice."""
        once = world.send(ANNA, "deployments", workload(claim()), dry_run=True).object
        assert world.send(ANNA, "deployments", once).object == once

    def test_restored_from_a_backup(self, world: World) -> None:
        backup = granted(world)
        del world.store["deployments", "dev", "web"]
        assert not world.send(JANE, "deployments", backup).allowed
        assert world.send(ANNA, "deployments", backup).allowed

    def test_ephemeral_containers_of_an_exempt_pod(self) -> None:
        config = load("{apiVersion: netreeve.io/v1alpha1, kind: GateConfig, profile: strict}")
        strict = World(ruleset(config))
        strict.rights = {(ANNA, "net-capabilities", "dev"), (ANNA, "host-network", "dev")}
        stored = strict.send(ANNA, "pods", pod(claim("host-network", "net-capabilities"))).object
        debug = copy.deepcopy(stored)
        powers = {"securityContext": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}}
        debug["spec"]["ephemeralContainers"] = [{"name": "debug", "image": "x", **powers}]

        def add(user: str) -> Answer:
            return strict.send(
                user, "pods", debug, subresource="ephemeralcontainers", mutating=False
            )

        assert "takes the right to exempt from net-capabilities" in add(JANE).text
        assert add(ANNA).allowed


def test_the_keys_of_the_test_differ() -> None:
    assert len({KEY, OLD_KEY, OTHER_KEY}) == 3
