"""Exemptions through the gate, both passes: who gets what, and what becomes of the stamp."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from policies.model import Request, Right, User
from tests.exemptions.world import (
    KEY,
    KUBE,
    NEXT_YEAR,
    NOW,
    OLD_KEY,
    OTHER_KEY,
    TOMORROW,
    Answer,
    World,
    claim,
    namespace,
    node_port,
    owned,
    pod,
    workload,
)
from webhook.admission.gate import Gate, Review
from webhook.config import load, ruleset
from webhook.exemptions.claim import DAY, EXEMPT, STAMP, UNTIL
from webhook.exemptions.stamp import Keys

ANNA, JANE = "anna", "jane"
"""Anna may exempt from host-network, host-port and node-port in dev; Jane may write objects."""


@pytest.fixture
def world() -> World:
    found = World()
    found.rights = {(ANNA, policy, "dev") for policy in ("host-network", "host-port", "node-port")}
    return found


def stamp_of(obj: dict[str, Any]) -> str | None:
    """Of a pod template, or of the object where it has none."""
    spec = obj.get("spec", {})
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"]["spec"]
    metadata = spec["template"]["metadata"] if "template" in spec else obj["metadata"]
    found: str | None = metadata["annotations"].get(STAMP)
    return found


def changed(obj: dict[str, Any], **annotations: str | None) -> dict[str, Any]:
    """With other annotations on the template; None removes one."""
    found = copy.deepcopy(obj)
    on = found["spec"]["template"]["metadata"]["annotations"]
    for name, text in annotations.items():
        key = EXEMPT if name == "exempt" else f"{EXEMPT}-{name}"
        on.pop(key, None)
        if text is not None:
            on[key] = text
    return found


def granted(world: World, *policies: str, **of: Any) -> dict[str, Any]:
    """A Deployment that Anna has exempted."""
    answer = world.send(ANNA, "deployments", workload(claim(*policies), **of))
    assert answer.allowed, answer.text
    return answer.object


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


def test_the_keys_of_the_test_differ() -> None:
    assert len({KEY, OLD_KEY, OTHER_KEY}) == 3
