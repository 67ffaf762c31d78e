"""Exemptions of workloads: what controllers make carries them, each template has its own."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.admission.exempting import ANNA, JANE, granted, stamp_of
from tests.exemptions.world import KUBE, World, claim, owned, workload
from webhook.config import load, ruleset
from webhook.exemptions.claim import STAMP


class TestTemplates:
    def test_what_controllers_make_carries_it(self, world: World) -> None:
        granted(world)
        world.asked.clear()
        assert world.replica_set().allowed
        made = world.pod_of()
        assert made.allowed
        assert made.warnings[0].endswith("(exempt until 2027-06-30)")
        assert not world.asked

    def test_nothing_is_written_into_what_controllers_make(self, world: World) -> None:
        """A ReplicaSet whose template is not its Deployment's would be made again and again."""
        granted(world)
        made = world.replica_set().object
        assert (
            made["spec"]["template"] == world.store["deployments", "dev", "web"]["spec"]["template"]
        )

    def test_a_replica_set_of_ones_own(self, world: World) -> None:
        template = granted(world)["spec"]["template"]
        for name in ("web-6d4cf56db6", "web-evil", "other"):
            alike = {"metadata": {"name": name}, "spec": {"template": template}}
            for obj in (alike, owned(alike, "apps/v1", "Deployment", "web")):
                assert not world.send(JANE, "replicasets", obj).allowed

    def test_of_a_controller_that_is_not_named(self, world: World) -> None:
        template = workload(claim())["spec"]["template"]
        made = {"metadata": {"name": "web-6d4cf56db6"}, "spec": {"template": template}}
        made = owned(made, "argoproj.io/v1alpha1", "Rollout", "web")
        answer = world.send(ANNA, "replicasets", made)
        assert "name its controller in exemptions.controllers" in answer.text
        assert "try again" not in answer.text

    def test_a_pod_dressed_up(self, world: World) -> None:
        template = granted(world)["spec"]["template"]
        world.replica_set()
        bare = {
            "metadata": {"name": "web-6d4cf56db6-abcde", **template["metadata"]},
            "spec": template["spec"],
        }
        dressed = owned(bare, "apps/v1", "ReplicaSet", "web-6d4cf56db6")
        assert not world.send(JANE, "pods", bare).allowed
        assert not world.send(JANE, "pods", dressed).allowed

    def test_another_workload_with_the_same_annotations(self, world: World) -> None:
        copied = stamp_of(granted(world))
        other = workload({**claim(), STAMP: copied or ""}, name="other")
        assert not world.send(JANE, "deployments", other).allowed
        world.send(JANE, "deployments", other, mutating=False, validating=False)
        assert not world.replica_set("other").allowed

    def test_past_the_gate_into_another_namespace(self, world: World) -> None:
        stored = granted(world)
        world.store["deployments", "prod", "web"] = stored
        made = {
            "metadata": {"name": "web-6d4cf56db6"},
            "spec": {"template": stored["spec"]["template"]},
        }
        made = owned(made, "apps/v1", "Deployment", "web")
        user = f"{KUBE}deployment-controller"
        assert not world.send(user, "replicasets", made, where="prod").allowed
        assert world.send(user, "replicasets", made).allowed

    def test_cron_job_job_and_pod(self, world: World) -> None:
        template = workload(claim())["spec"]["template"]
        cron = {
            "metadata": {"name": "count"},
            "spec": {"jobTemplate": {"spec": {"template": template}}},
        }
        stored = world.send(ANNA, "cronjobs", cron)
        assert stored.allowed
        template = stored.object["spec"]["jobTemplate"]["spec"]["template"]
        job = {"metadata": {"name": "count-29012345"}, "spec": {"template": template}}
        job = owned(job, "batch/v1", "CronJob", "count")
        assert world.send(f"{KUBE}cronjob-controller", "jobs", job).allowed
        made = {
            "metadata": {"generateName": "count-29012345-", **template["metadata"]},
            "spec": template["spec"],
        }
        made = owned(made, "batch/v1", "Job", "count-29012345")
        assert world.send(f"{KUBE}job-controller", "pods", made).allowed
        by_hand = copy.deepcopy(job)
        by_hand["metadata"]["name"] = "count-by-hand"
        assert not world.send(JANE, "jobs", by_hand).allowed
        assert world.send(ANNA, "jobs", by_hand).allowed

    def test_a_name_yet_to_be_generated(self, world: World) -> None:
        job = workload(claim())
        job["metadata"] = {"generateName": "count-"}
        stored = world.send(ANNA, "jobs", job)
        assert stored.allowed
        assert json.loads(stamp_of(stored.object) or "")["workload"] == "Job.batch/count-*"
        template = stored.object["spec"]["template"]
        for owner, allowed in (("count-x7k2p", True), ("account-x7k2p", False), ("count-", False)):
            made = {
                "metadata": {"generateName": "x-", **template["metadata"]},
                "spec": template["spec"],
            }
            made = owned(made, "batch/v1", "Job", owner)
            assert world.send(f"{KUBE}job-controller", "pods", made).allowed is allowed

    def test_beside_the_template_it_would_not_reach_the_pods(self, world: World) -> None:
        answer = world.send(ANNA, "deployments", workload(own=claim()))
        assert (
            "must be among spec.template.metadata.annotations: pods carry what stands there"
            in answer.text
        )
        both = world.send(ANNA, "deployments", workload(claim(), own=claim()))
        assert both.allowed  # as tools write common annotations

    def test_custom_controllers_by_configuration(self, world: World) -> None:
        text = """
            apiVersion: netreeve.io/v1alpha1
            kind: GateConfig
            workloads:
              - {group: argoproj.io, resource: rollouts, kind: Rollout, path: spec.template}
            exemptions:
              controllers:
                - {user: rollouts, owners: [Rollout.argoproj.io]}
                - {user: my-controller-manager}
        """
        configured = World(ruleset(load(text)))
        configured.rights = world.rights
        stored = configured.send(ANNA, "rollouts", workload(claim()))
        assert stored.allowed, stored.text
        template = stored.object["spec"]["template"]
        assert (
            json.loads(template["metadata"]["annotations"][STAMP])["workload"]
            == "Rollout.argoproj.io/web"
        )
        made = {"metadata": {"name": "web-6d4cf56db6"}, "spec": {"template": template}}
        made = owned(made, "argoproj.io/v1alpha1", "Rollout", "web")
        assert not configured.send("somebody", "replicasets", made).allowed
        assert configured.send("rollouts", "replicasets", made).allowed
        assert configured.pod_of().allowed
        template = configured.send(ANNA, "deployments", workload(claim(), name="api")).object[
            "spec"
        ]["template"]
        made = owned(
            {"metadata": {"name": "api-1"}, "spec": {"template": template}},
            "apps/v1",
            "Deployment",
            "api",
        )
        assert configured.send("my-controller-manager", "replicasets", made).allowed


SEVERAL = """
apiVersion: netreeve.io/v1alpha1
kind: GateConfig
workloads:
  - {group: argoproj.io, resource: rollouts, kind: Rollout, path: "spec.roles[*].template"}
"""


class TestSeveralTemplates:
    @pytest.fixture
    def several(self, world: World) -> World:
        found = World(ruleset(load(SEVERAL)))
        found.rights = world.rights
        return found

    def roles(self, **templates: dict[str, str]) -> dict[str, Any]:
        found = {
            name.replace("_", "."): workload(annotations)["spec"]
            for name, annotations in templates.items()
        }
        return {"metadata": {"name": "web"}, "spec": {"roles": found}}

    def test_each_has_its_own_claim(self, several: World) -> None:
        answer = several.send(ANNA, "rollouts", self.roles(one=claim(), two={}))
        assert answer.text.startswith("1 violation")
        assert "spec.roles.two.template.spec.hostNetwork" in answer.text

    def test_names_that_look_like_paths(self, several: World) -> None:
        """The stamp is written where its claim stands, and one's claim is not another's."""
        roles = self.roles(one=claim(), one_template=claim())
        stored = several.send(ANNA, "rollouts", roles)
        assert stored.allowed, stored.text
        for role in stored.object["spec"]["roles"].values():
            assert STAMP in role["template"]["metadata"]["annotations"]
        del several.store["rollouts", "dev", "web"]
        assert not several.send(
            ANNA, "rollouts", self.roles(one=claim(), one_template_spec={})
        ).allowed
