"""What the controllers of Kubernetes make of exempt workloads."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.apiserver.people import (
    KUBE,
    RESTART,
    Scene,
    on_template,
    reference,
    template_annotations,
)
from tests.controlplane.wait import wait_for
from tests.exemptions.world import claim
from webhook.exemptions.claim import STAMP

pytestmark = pytest.mark.cluster
STRICT = {"securityContext": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}}


class TestControllers:
    @pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job"])
    def test_the_pods_of_an_exempt_workload_run(self, scene: Scene, kind: str) -> None:
        made = scene.workload(claim(), kind=kind, replicas=1)
        assert scene.create("anna", made).allowed
        (pod,) = wait_for(lambda: scene.all("Pod"), 30, f"the pod of the {kind}")
        stamp = json.loads(pod["metadata"]["annotations"][STAMP])
        assert stamp["workload"].endswith(f"/{scene.name}")
        if kind == "Deployment":
            (made_of_it,) = scene.all("ReplicaSet")
            template = scene.get("Deployment")["spec"]["template"]
            assert made_of_it["spec"]["template"]["metadata"][
                "annotations"
            ] == template_annotations({"spec": {"template": template}})

    def test_a_restart_by_jane_makes_exempt_pods(self, scene: Scene) -> None:
        scene.exempt(replicas=1)
        (first,) = wait_for(lambda: scene.all("Pod"), 20, "the pod")
        restart = {"spec": {"template": {"metadata": {"annotations": RESTART}}}}
        assert scene.patch("jane", "Deployment", restart).allowed
        wait_for(
            lambda: (
                {pod["metadata"]["uid"] for pod in scene.all("Pod")} - {first["metadata"]["uid"]}
            ),
            20,
            "another pod",
        )
        assert len(scene.all("ReplicaSet")) == 2

    def test_pods_whose_exemption_was_removed_are_denied(self, scene: Scene) -> None:
        scene.exempt(replicas=1)
        wait_for(lambda: scene.all("Pod"), 20, "the pod")
        assert scene.patch("jane", "Deployment", on_template(exempt=None)).allowed

        def failed() -> list[str]:
            return [text for text in scene.conditions() if "host-network: spec.template" in text]

        assert wait_for(failed, 20, "the Deployment to say why there is no new ReplicaSet")

    def test_from_cron_job_to_job_to_pod(self, scene: Scene) -> None:
        assert scene.create("anna", scene.workload(claim(), kind="CronJob")).allowed
        cron = scene.get("CronJob")
        made = scene.workload(kind="Job", name=f"{scene.name}-29012345")
        made["spec"]["template"] = cron["spec"]["jobTemplate"]["spec"]["template"]
        by_cron = {**reference(cron, "CronJob"), "apiVersion": "batch/v1"}
        made["metadata"]["ownerReferences"] = [by_cron]
        assert "jane may not" in scene.create("jane", made).text
        strange = copy.deepcopy(made)
        strange["metadata"]["ownerReferences"][0]["name"] = f"{scene.name}-other"
        controller = f"{KUBE}:cronjob-controller"
        refused = scene.create(controller, strange)
        assert "carries no valid stamp for this workload" in refused.text
        assert scene.create(controller, made).allowed
        assert wait_for(lambda: scene.all("Pod"), 20, "the pod")

    def test_a_replica_set_that_another_deployment_adopts(self, scene: Scene) -> None:
        """It stays exempt, as what it is; its new owner is not."""
        scene.exempt(replicas=1)
        (exempt,) = wait_for(lambda: scene.all("ReplicaSet"), 20, "the ReplicaSet")
        wait_for(lambda: scene.all("Pod"), 20, "the pod")
        scene.delete("Deployment", how="Orphan")
        wait_for(
            lambda: (
                not scene.get("ReplicaSet", exempt["metadata"]["name"])["metadata"].get(
                    "ownerReferences"
                )
            ),
            20,
            "the ReplicaSet to be an orphan",
        )
        violating = scene.workload(claim(), name=f"{scene.name}-evil")
        assert not scene.create("jane", violating).allowed
        clean = scene.workload(name=f"{scene.name}-clean")
        del clean["spec"]["template"]["spec"]["hostNetwork"]
        assert scene.create("jane", clean).allowed

        def adopted() -> Any:
            stored = scene.get("ReplicaSet", exempt["metadata"]["name"])
            return stored["metadata"].get("ownerReferences") and stored["spec"]["replicas"] == 0

        wait_for(adopted, 20, "the ReplicaSet to be adopted, and scaled down")
        moved = scene.patch(
            "jane", "Deployment", {"spec": {"template": {"spec": {"hostNetwork": True}}}},
            name=f"{scene.name}-clean",
        )  # fmt: skip
        assert "host-network" in moved.text
        assert not moved.allowed

    def test_ephemeral_containers_of_an_exempt_pod(self, scene: Scene) -> None:
        pod = scene.pod(claim("host-network", "net-capabilities"))
        assert scene.create("root", pod).allowed
        strong = {"name": "debug", "image": "x", **STRICT}
        debug = {"spec": {"ephemeralContainers": [strong]}}
        refused = scene.patch("jane", "Pod", debug, sub="ephemeralcontainers")
        assert "takes the right to exempt from net-capabilities" in refused.text
        assert scene.patch("root", "Pod", debug, sub="ephemeralcontainers").allowed
        more = {"spec": {"ephemeralContainers": [strong, {"name": "plain", "image": "x"}]}}
        assert scene.patch("jane", "Pod", more, sub="ephemeralcontainers").allowed

    def test_names_that_are_generated(self, scene: Scene) -> None:
        made = scene.workload(claim(), kind="Job")
        made["metadata"] = {"generateName": f"{scene.name}-", "labels": {"app": scene.name}}
        assert "jane may not" in scene.create("jane", made).text
        assert scene.create("anna", made).allowed
        (pod,) = wait_for(lambda: scene.all("Pod"), 20, "the pod")
        stamp = json.loads(pod["metadata"]["annotations"][STAMP])
        assert stamp["workload"] == f"Job.batch/{scene.name}-*"
