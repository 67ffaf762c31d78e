"""Exemptions while keys change, passes are skipped and time goes by: on a real API server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.apiserver.gated import Gated
from tests.apiserver.people import DEV, RESTART, Scene, on_template
from tests.controlplane.wait import wait_for
from tests.exemptions.world import claim

pytestmark = pytest.mark.cluster
MUTATING = ("mutatingwebhookconfiguration", "00-netreeve")


def may(scene: Scene) -> bool:
    return scene.create("anna", scene.pod(claim()), dry_run=True).allowed


class Keys:
    """Of the running gate; a changed file is in use once its log says so."""

    def __init__(self, scene: Scene) -> None:
        self._directory, self._log = scene.gated.gate.stamp_keys, scene.gated.gate.log

    def rotate(self, *, keep: bool) -> None:
        """Another key; the one so far counts too, or not at all."""
        current, previous = self._directory / "current", self._directory / "previous"
        if keep:
            previous.write_bytes(current.read_bytes())
        else:
            previous.unlink(missing_ok=True)
        log = self._log
        before = log.read_text().count("a new key for stamps")
        fresh = current.with_suffix(".new")
        fresh.write_bytes(os.urandom(32))
        fresh.replace(current)
        wait_for(lambda: log.read_text().count("a new key for stamps") > before, 20, "the new key")


@pytest.fixture
def keys(scene: Scene) -> Keys:
    return Keys(scene)


class TestKeys:
    def test_a_rotation_loses_nothing(self, scene: Scene, keys: Keys) -> None:
        scene.exempt(replicas=1)
        (first,) = wait_for(lambda: scene.all("Pod"), 20, "the pod")
        before = scene.stamp()
        keys.rotate(keep=True)
        assert scene.patch("jane", "Deployment", {"metadata": {"labels": {"a": "b"}}}).allowed
        assert scene.stamp() == before  # it would restart the pods
        path = f"/api/v1/namespaces/{DEV}/pods/{first['metadata']['name']}?gracePeriodSeconds=0"
        assert scene.send("admin", "DELETE", path).allowed
        uid = first["metadata"]["uid"]
        wait_for(
            lambda: [pod for pod in scene.all("Pod") if pod["metadata"]["uid"] != uid],
            20,
            "another pod, by the stamp of the previous key",
        )
        restart = {"spec": {"template": {"metadata": {"annotations": RESTART}}}}
        assert scene.patch("jane", "Deployment", restart).allowed
        after = scene.stamp()
        assert after["mac"] != before["mac"]
        assert {**after, "mac": ""} == {**before, "mac": ""}

    def test_when_both_keys_are_others_nothing_is_exempt(self, scene: Scene, keys: Keys) -> None:
        scene.exempt(replicas=0)
        keys.rotate(keep=False)
        assert scene.patch("jane", "Deployment", {"spec": {"replicas": 1}}).allowed

        why = "its template carries no valid stamp for this workload"
        wait_for(lambda: why in str(scene.conditions()), 20, "the pod to be refused")
        assert "jane may not" in scene.patch("jane", "Deployment", on_template(stamp="x")).text
        assert scene.patch("anna", "Deployment", on_template(stamp="x")).allowed
        assert wait_for(lambda: scene.all("Pod"), 30, "its pod")


@contextmanager
def without_mutating(scene: Scene) -> Iterator[None]:
    """failurePolicy Ignore, and nobody answers."""
    gated = scene.gated
    stored = gated.get(*MUTATING)["webhooks"][0]
    dead = [
        {"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"},
        {
            "op": "replace",
            "path": "/webhooks/0/clientConfig/url",
            "value": "https://127.0.0.1:9/mutate",
        },
    ]
    alive = [
        {**dead[0], "value": stored["failurePolicy"]},
        {**dead[1], "value": stored["clientConfig"]["url"]},
    ]
    gated.kubectl("patch", *MUTATING, "--type=json", "-p", json.dumps(dead))
    try:
        wait_for(lambda: not may(scene), 20, "the API server to skip the pass")
        yield
    finally:
        gated.kubectl("patch", *MUTATING, "--type=json", "-p", json.dumps(alive))
        wait_for(lambda: may(scene), 20, "the API server to ask again")


def test_the_mutating_pass_is_skipped(scene: Scene) -> None:
    stamped = scene.exempt()
    with without_mutating(scene):
        text = scene.create("anna", scene.pod(claim())).text
        assert "must be written by the gate: its mutating webhook has not seen this" in text
        assert "try again" in text
        assert "jane may not" in scene.create("jane", scene.pod(claim())).text
        copied = scene.pod(stamped["spec"]["template"]["metadata"]["annotations"])
        assert "jane may not" in scene.create("jane", copied).text
        assert scene.patch("jane", "Deployment", {"spec": {"replicas": 0}}).allowed
        removed = scene.patch("jane", "Deployment", on_template(stamp=None))
        assert "must be written by the gate" in removed.text
    assert scene.create("anna", scene.pod(claim())).allowed


@contextmanager
def without_gate(gated: Gated) -> Iterator[None]:
    """Both passes are skipped."""
    kinds = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
    change = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]

    def policy(value: str) -> None:
        patch = json.dumps([{**change[0], "value": value}])
        for kind in kinds:
            gated.kubectl("patch", kind, "00-netreeve", "--type=json", "-p", patch)

    policy("Ignore")
    gated.gate.stop()
    try:
        scene = Scene(gated)
        wait_for(
            lambda: scene.create("jane", scene.pod(), dry_run=True).allowed, 20, "the open gate"
        )
        yield
    finally:
        gated.gate.start()
        policy("Fail")
        wait_for(
            lambda: not scene.create("jane", scene.pod(), dry_run=True).allowed, 20, "the gate"
        )
        wait_for(lambda: may(scene), 20, "rights")


def _is_refused(scene: Scene) -> bool:
    return "host-network: spec" in str(scene.conditions())


def test_what_is_written_past_the_gate_is_not_exempt(scene: Scene) -> None:
    exempt = scene.exempt()["spec"]["template"]
    planted, copied = Scene(scene.gated), Scene(scene.gated)
    where = f"ns-{scene.name}"
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": where, "annotations": claim()},
    }
    with without_gate(scene.gated):
        assert scene.create("jane", namespace).allowed
        assert planted.create("jane", planted.workload(claim())).allowed
        theirs = copied.workload(exempt["metadata"]["annotations"])
        assert copied.create("jane", theirs).allowed
    assert "host-network" in scene.create("jane", scene.pod(), where=where).text
    for one in (planted, copied):
        assert one.patch("jane", "Deployment", {"spec": {"replicas": 1}}).allowed
        assert one.patch("root", "Deployment", {"metadata": {"labels": {"a": "b"}}}).allowed
        wait_for(partial(_is_refused, one), 20, "what it would make to be refused")
        assert not one.all("Pod")
    assert planted.patch("anna", "Deployment", on_template(stamp="please")).allowed
    assert wait_for(lambda: planted.all("Pod"), 30, "the pod of the one that is granted now")


def test_it_ends_in_between(scene: Scene) -> None:
    end = datetime.now(UTC) + timedelta(seconds=4)
    soon = f"{end:%Y-%m-%dT%H:%M:%SZ}"
    assert scene.create("anna", scene.workload(claim(until=soon))).allowed
    assert scene.create("anna", scene.service(claim("node-port", until=soon))).allowed
    wait_for(lambda: datetime.now(UTC) > end, 10, "the end")
    assert scene.patch("jane", "Deployment", {"metadata": {"labels": {"a": "b"}}}).allowed
    assert scene.patch("jane", "Deployment", {"spec": {"replicas": 1}}).allowed

    wait_for(lambda: "it ended with" in str(scene.conditions()), 20, "the pod to be refused")
    assert "jane may not" in scene.patch("jane", "Deployment", on_template(until="2027-01-01")).text
    assert scene.patch("anna", "Deployment", on_template(until="2027-01-01")).allowed
    assert wait_for(lambda: scene.all("Pod"), 30, "its pod")
