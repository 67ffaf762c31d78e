"""Exempt objects in the hands of kubectl, of server-side apply and of pipelines."""

from __future__ import annotations

import json

import pytest

from tests.apiserver.gated import Gated
from tests.apiserver.people import DEV, LATER, Scene, on_template, template_annotations
from tests.exemptions.world import claim
from webhook.exemptions.claim import ANNOTATIONS, STAMP, UNTIL

pytestmark = pytest.mark.cluster


class TestTools:
    def test_a_manifest_without_a_stamp_is_applied_again(self, scene: Scene) -> None:
        """By server-side apply, of another manager, and by its own with the claim."""
        stored = scene.exempt()
        manifest = scene.workload(claim())
        for user, manager in (("jane", "pipeline"), ("jane", "pipeline"), ("carl", "other")):
            manifest["spec"]["template"]["spec"]["containers"][0]["image"] += "0"
            assert scene.apply(user, manifest, manager).allowed
            now = template_annotations(scene.get("Deployment"))
            assert now[STAMP] == template_annotations(stored)[STAMP]

    def test_server_side_apply_by_somebody_who_may(self, scene: Scene) -> None:
        manifest = scene.workload(claim())
        assert not scene.apply("jane", manifest, "pipeline").allowed
        assert scene.apply("anna", manifest, "pipeline").allowed
        granted = scene.stamp()
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] += "0"
        assert scene.apply("anna", manifest, "pipeline").allowed
        assert scene.stamp() == granted
        manifest["spec"]["template"]["metadata"]["annotations"][UNTIL] = LATER
        assert not scene.apply("jane", manifest, "pipeline").allowed

    def test_replaced_by_a_manifest_without_a_stamp(self, scene: Scene) -> None:
        stored = scene.exempt()
        manifest = scene.workload(claim(), replicas=0)
        assert scene.replace("jane", manifest).allowed
        now = template_annotations(scene.get("Deployment"))
        assert now[STAMP] == template_annotations(stored)[STAMP]

    def test_kubectl_apply_annotate_and_roll_out(self, scene: Scene, people: Gated) -> None:
        manifest = json.dumps(scene.workload(claim()))

        def kubectl(user: str, *arguments: str, stdin: str | None = None) -> str:
            how = ("-n", DEV, f"--as={user}", "--as-group=writers")
            done = people.kubectl(*arguments, *how, stdin=stdin, check=False)
            return done.stderr if done.returncode else ""

        assert "jane may not" in kubectl("jane", "apply", "-f", "-", stdin=manifest)
        assert not kubectl("anna", "apply", "-f", "-", stdin=manifest)
        changed = manifest.replace("main:1", "main:2")
        assert not kubectl("jane", "apply", "-f", "-", stdin=changed)
        assert scene.stamp()["by"] == "anna"
        assert not kubectl("jane", "rollout", "restart", f"deployment/{scene.name}")
        assert not kubectl("jane", "scale", f"deployment/{scene.name}", "--replicas=0")
        service = scene.service(claim("node-port"))
        assert scene.create("anna", service).allowed
        annotate = ("annotate", "--overwrite", "service", scene.name)
        assert "jane may not" in kubectl("jane", *annotate, f"{UNTIL}={LATER}")
        assert not kubectl("anna", *annotate, f"{UNTIL}={LATER}")
        assert not kubectl("jane", *annotate, *(f"{name}-" for name in ANNOTATIONS))
        assert "jane may not" in kubectl(
            "jane", *annotate, *(f"{name}={text}" for name, text in claim("node-port").items())
        )

    def test_rolled_back_to_a_revision_that_was_exempt(self, scene: Scene) -> None:
        """What was taken away comes back by the hand of somebody who may, or not at all."""
        before = scene.exempt()
        assert scene.patch("jane", "Deployment", on_template(exempt=None)).allowed
        old = {"spec": {"template": before["spec"]["template"]}}
        assert "jane may not" in scene.patch("jane", "Deployment", old).text
        assert scene.patch("anna", "Deployment", old).allowed

    def test_impersonation_asks_for_the_one_who_is_shown(self, scene: Scene, people: Gated) -> None:
        own = people.control_plane.kubeconfig_for("jane", ("writers",))
        manifest = json.dumps(scene.service(claim("node-port")))
        create = ("create", "--validate=false", "-n", DEV, "-f", "-")
        for how, said in (((), "jane may not"), (("--as=anna",), "cannot impersonate")):
            done = people.kubectl(*create, *how, stdin=manifest, kubeconfig=own, check=False)
            assert said in done.stderr
