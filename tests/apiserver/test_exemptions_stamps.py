"""What a stamp says on a real API server, and what becomes of one that is tampered with."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.apiserver.people import SOONER, Scene, on_template
from tests.exemptions.world import claim
from webhook.exemptions.claim import STAMP

pytestmark = pytest.mark.cluster


TAMPERED = [
    {"workload": "Deployment.apps/{name}-copy"},
    {"workload": "ReplicaSet.apps/{name}"},
    {"by": "jane"},
    {"at": "2026-11-20T00:00:00Z"},
    {"groups": []},
    {"mac": "A" * 43},
    {"v": 2},
]


@pytest.mark.parametrize("change", TAMPERED, ids=lambda change: next(iter(change)))
def test_a_stamp_that_is_tampered_with(scene: Scene, change: dict[str, Any]) -> None:
    """On a new object it grants nothing; on the old one it is put back."""
    stored = scene.exempt()
    annotations = stored["spec"]["template"]["metadata"]["annotations"]
    changed = {
        name: one.format(name=scene.name) if isinstance(one, str) else one
        for name, one in change.items()
    }
    tampered = json.dumps(json.loads(annotations[STAMP]) | changed)
    other = copy.deepcopy(stored)
    other["metadata"]["name"] += "-copy"
    other["spec"]["template"]["metadata"]["annotations"][STAMP] = tampered
    assert "jane may not" in scene.create("jane", other).text

    assert scene.patch("jane", "Deployment", on_template(stamp=tampered)).allowed
    now = scene.get("Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert now[STAMP] == annotations[STAMP]


class TestStamps:
    def test_it_says_who_where_and_when(self, scene: Scene) -> None:
        assert scene.create("olga", scene.workload(claim())).allowed
        found = scene.stamp()
        assert (found["by"], found["groups"]) == ("olga", ["ops", "writers"])
        assert found["workload"] == f"Deployment.apps/{scene.name}"

    def test_a_stamp_of_ones_own_is_replaced(self, scene: Scene) -> None:
        assert scene.create("anna", scene.workload(claim(stamp="mine"))).allowed
        assert scene.stamp()["by"] == "anna"

    def test_what_was_tried_leaves_nothing(self, scene: Scene) -> None:
        reply = scene.create("anna", scene.pod(claim()), dry_run=True)
        assert STAMP in reply.body["metadata"]["annotations"]
        assert not scene.exists("Pod")

    def test_a_warning_says_until_when(self, scene: Scene) -> None:
        reply = scene.create("anna", scene.service(claim("node-port")))
        assert "node-port: spec.type: must not be NodePort" in reply.text
        assert "(exempt until 2027-06-30)" in reply.text

    @pytest.mark.parametrize("user", ["jane", "anna"])
    def test_who_claims_less_changes_nothing_of_who_granted(self, scene: Scene, user: str) -> None:
        scene.exempt()
        before = scene.stamp()
        assert scene.patch(user, "Deployment", on_template(until=SOONER)).allowed
        after = scene.stamp()
        assert (after["by"], after["at"]) == (before["by"], before["at"])
        assert after["mac"] != before["mac"]
