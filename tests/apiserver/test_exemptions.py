"""Who may exempt what, and what becomes of it: a table, on a real API server with real RBAC.

Each row is one request, after whatever it takes to make it possible, and what is said to it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.apiserver.gated import Gated
from tests.apiserver.people import (
    DEV,
    KUBE,
    LATER,
    OTHER,
    SOONER,
    Reply,
    Scene,
    bare,
    claim,
    on_template,
)
from tests.controlplane.wait import wait_for
from webhook.exemptions.claim import ANNOTATIONS, STAMP, UNTIL

pytestmark = pytest.mark.cluster

ALLOWED = ""
MAY_NOT = "must be granted by someone who may exempt from"
DEPLOYER, PLAIN = (f"system:serviceaccount:{DEV}:{name}" for name in ("deployer", "plain"))
STRICT = {"securityContext": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}}


class Row(NamedTuple):
    """said: part of the denial, or ALLOWED."""

    what: str
    act: Callable[[Scene], Reply]
    said: str


def by(user: str, *policies: str, **of: Any) -> Callable[[Scene], Reply]:
    """A Service with a node port is created by somebody."""
    where = of.pop("where", DEV)
    return lambda s: s.create(
        user, s.service(claim(*(policies or ("node-port",)), **of)), where=where
    )


WHO = [
    Row("with the right", by("anna"), ALLOWED),
    Row("without", by("jane"), f"{MAY_NOT} node-port in namespace {DEV}: jane may not"),
    Row("with the right in another namespace", by("carl"), "carl may not"),
    Row("in that namespace", by("carl", where=OTHER), ALLOWED),
    Row("of this namespace in another", by("anna", where=OTHER), "anna may not"),
    Row("for another policy", by("dora"), "dora may not"),
    Row("for one of two", by("anna", "node-port", "net-sysctls"), f"{MAY_NOT} net-sysctls"),
    Row("in the whole cluster", by("root"), ALLOWED),
    Row("in the whole cluster, elsewhere", by("root", where=OTHER), ALLOWED),
    Row("by group", by("olga"), ALLOWED),
    Row("system:masters", by("admin"), ALLOWED),
    Row("a service account with the right", by(DEPLOYER), ALLOWED),
    Row("a service account without", by(PLAIN), f"{PLAIN} may not"),
    Row("somebody who may not even write", by("nobody"), "forbidden"),
]  # fmt: skip
CLAIMS = [
    Row("an unknown policy", by("anna", "nod-port"), "no policy; did you mean node-port?"),
    Row("a policy that changes", by("anna", "ndots"), "from which nothing is exempt"),
    Row("the guard of the baseline", by("root", "baseline-guard"), "from which nothing is exempt"),
    Row("everything", by("root", "*"), "must not be *; name the policies"),
    Row("no reason", by("anna", reason=None), "exempt-reason]: must be set"),
    Row("no sentence", by("anna", reason="because"), "exempt-reason]: must be a sentence"),
    Row("no end", by("anna", until=None), "exempt-until]: must be set: exemptions end"),
    Row("a past end", by("anna", until="2020-01-01"), "must be in the future; 2020-01-01 has"),
    Row("no date", by("anna", until="soon"), "must be a date or an RFC 3339 time"),
    Row("a time", by("anna", until="2027-06-30T12:00:00+02:00"), ALLOWED),
    Row("the wrong policy", by("anna", "host-port"), "node-port: spec.type: must not be NodePort"),
    Row("a stamp of one's own", by("anna", stamp="mine"), ALLOWED),
    Row("only a stamp of one's own", by("jane", stamp="mine"), "jane may not"),
]  # fmt: skip


def updating(
    user: str, patch: Any, *, before: dict[str, Any] | None = None, sub: str = ""
) -> Callable[[Scene], Reply]:
    """Somebody patches a Deployment that Anna has exempted."""

    def act(scene: Scene) -> Reply:
        scene.exempt(*(before or {}).get("policies", ()), port=(before or {}).get("port"))
        return scene.patch(user, "Deployment", patch, sub=sub)

    return act


PORT = {"policies": ("host-port",), "port": 9100}
TWO = {"policies": ("host-network", "host-port")}


def ports(number: int) -> dict[str, Any]:
    main = {"name": "main", "image": "x", "ports": [{"containerPort": 80, "hostPort": number}]}
    return {"spec": {"template": {"spec": {"containers": [main]}}}}


def image(name: str) -> dict[str, Any]:
    main = {"name": "main", "image": name}
    return {"spec": {"template": {"spec": {"containers": [main]}}}}


RESTART = {"kubectl.kubernetes.io/restartedAt": "2026-11-21T12:00:00Z"}
UPDATES = [
    Row("scaled", updating("jane", {"spec": {"replicas": 2}}, sub="scale"), ALLOWED),
    Row("replicas patched", updating("jane", {"spec": {"replicas": 2}}), ALLOWED),
    Row("labelled", updating("jane", {"metadata": {"labels": {"a": "b"}}}), ALLOWED),
    Row("a new image", updating("jane", image("example.com/main:2")), ALLOWED),
    Row(
        "restarted",
        updating("jane", {"spec": {"template": {"metadata": {"annotations": RESTART}}}}),
        ALLOWED,
    ),
    Row("prolonged by Jane", updating("jane", on_template(until=LATER)), "jane may not"),
    Row("prolonged by Anna", updating("anna", on_template(until=LATER)), ALLOWED),
    Row("prolonged by Carl", updating("carl", on_template(until=LATER)), "carl may not"),
    Row("shortened by Jane", updating("jane", on_template(until=SOONER)), ALLOWED),
    Row("an end taken away", updating("jane", on_template(until=None)), "must be set"),
    Row("widened", updating("jane", on_template(exempt="host-network,host-port")), "jane may not"),
    Row("widened by Anna", updating("anna", on_template(exempt="host-network,host-port")), ALLOWED),
    Row("narrowed", updating("jane", on_template(exempt="host-port"), before=TWO), ALLOWED),
    Row("another reason", updating("jane", on_template(reason="I say so myself.")), "jane may not"),
    Row("a ticket", updating("jane", on_template(ticket="OPS-1")), "jane may not"),
    Row("no reason any more", updating("jane", on_template(reason=None)), "must be set"),
    Row("removed", updating("jane", on_template(exempt=None)), ALLOWED),
    Row("the stamp removed", updating("jane", on_template(stamp=None)), ALLOWED),
    Row("the stamp written over", updating("jane", on_template(stamp="{}")), ALLOWED),
    Row(
        "another port",
        updating("jane", ports(22), before=PORT),
        "its exemption is for what was there before; to change it takes the right",
    ),
    Row("another port by Anna", updating("anna", ports(22), before=PORT), ALLOWED),
    Row("beside the template", updating("anna", {"metadata": {"annotations": claim()}}), ALLOWED),
    Row(
        "only beside the template",
        lambda s: s.create("anna", _beside(s)),
        "must be among spec.template.metadata.annotations",
    ),
]


def _beside(scene: Scene) -> dict[str, Any]:
    made = scene.workload()
    made["metadata"]["annotations"] = claim()
    return made


def with_template_of(kind: str, name: str = "") -> Callable[[Scene], Reply]:
    """Jane makes something of the template of an exempt Deployment."""

    def act(scene: Scene) -> Reply:
        template = scene.exempt()["spec"]["template"]
        made = scene.workload(kind=kind, name=name and f"{scene.name}{name}")
        made["spec"]["template"] = copy.deepcopy(template)
        if kind == "Job":
            made["spec"]["template"]["spec"]["restartPolicy"] = "Never"
        return scene.create("jane", made)

    return act


def copied(*, where: str = DEV, name: str = "-copy") -> Callable[[Scene], Reply]:
    def act(scene: Scene) -> Reply:
        made = scene.exempt()
        made["metadata"]["name"] += name
        made["metadata"]["namespace"] = where
        return scene.create("jane", made, where=where)

    return act


def a_pod(*, owner: str = "", user: str = "jane") -> Callable[[Scene], Reply]:
    """A pod with all that a pod of an exempt Deployment has, and an owner by kind."""

    def act(scene: Scene) -> Reply:
        scene.exempt(replicas=1)
        sets = wait_for(lambda: scene.all("ReplicaSet"), 20, "the ReplicaSet")
        wait_for(lambda: scene.all("Pod"), 20, "its pod")
        template = sets[0]["spec"]["template"]
        meta = {**template["metadata"], "name": f"{scene.name}-made"}
        if owner:
            of = sets[0] if owner == "ReplicaSet" else scene.get(owner)
            meta["ownerReferences"] = [_reference(of, owner)]
            meta["labels"] = {**meta["labels"], "app": "other"}  # else the controller ends it
        made = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
        return scene.create(user, made)

    return act


def _reference(of: dict[str, Any], kind: str) -> dict[str, Any]:
    meta = of["metadata"]
    return {
        "apiVersion": "apps/v1", "kind": kind, "name": meta["name"], "uid": meta["uid"],
        "controller": True,
    }  # fmt: skip


def _alike(scene: Scene, user: str, name: str) -> Reply:
    template = scene.exempt()["spec"]["template"]
    made = scene.workload(kind="ReplicaSet", name=f"{scene.name}{name}")
    made["spec"]["template"] = copy.deepcopy(template)
    made["metadata"]["ownerReferences"] = [_reference(scene.get("Deployment"), "Deployment")]
    return scene.create(user, made)


def restored(user: str) -> Callable[[Scene], Reply]:
    """A Deployment is deleted, and created again with the stamp it had."""

    def act(scene: Scene) -> Reply:
        backup = scene.exempt()
        assert STAMP in backup["spec"]["template"]["metadata"]["annotations"]
        scene.delete("Deployment")
        wait_for(lambda: not scene.exists("Deployment"), 20, "the Deployment to go")
        return scene.create(user, backup)

    return act


COPIES = [
    Row("under another name", copied(), "jane may not"),
    Row("into another namespace", copied(where=OTHER, name=""), "jane may not"),
    Row("into a ReplicaSet", with_template_of("ReplicaSet"), "jane may not"),
    Row("a ReplicaSet named alike", with_template_of("ReplicaSet", "-6d4cf56db6"), "jane may not"),
    Row("with an owner", lambda s: _alike(s, "jane", "-6d4cf56db6"), "jane may not"),
    Row("into a DaemonSet", with_template_of("DaemonSet"), "jane may not"),
    Row("into a StatefulSet", with_template_of("StatefulSet"), "jane may not"),
    Row("into a Job", with_template_of("Job"), "jane may not"),
    Row("into a bare pod", a_pod(), "jane may not"),
    Row("into a pod dressed up", a_pod(owner="ReplicaSet"), "jane may not"),
    Row("dressed up as a Deployment's", a_pod(owner="Deployment"), "jane may not"),
    Row("dressed up by Anna, who may", a_pod(owner="ReplicaSet", user="anna"), ALLOWED),
    Row("restored by Jane", restored("jane"), "jane may not"),
    Row("restored by Anna", restored("anna"), ALLOWED),
    Row("restored by an administrator", restored("admin"), ALLOWED),
    Row("tried by Anna", lambda s: s.create("anna", s.pod(claim()), dry_run=True), ALLOWED),
    Row("tried by Jane", lambda s: s.create("jane", s.pod(claim()), dry_run=True), "jane may not"),
]


@pytest.mark.parametrize("row", [*WHO, *CLAIMS, *UPDATES, *COPIES], ids=lambda row: row.what)
def test_row(scene: Scene, row: Row) -> None:
    reply = row.act(scene)
    assert reply.allowed is (row.said == ALLOWED), reply.text
    assert row.said in reply.text


def test_the_table_is_long_enough() -> None:
    assert len({*WHO, *CLAIMS, *UPDATES, *COPIES}) >= 60


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


def stamp_of(scene: Scene) -> dict[str, Any]:
    on = scene.get("Deployment")["spec"]["template"]["metadata"]["annotations"]
    found: dict[str, Any] = json.loads(on[STAMP])
    return found


class TestStamps:
    def test_it_says_who_where_and_when(self, scene: Scene) -> None:
        assert scene.create("olga", scene.workload(claim())).allowed
        found = stamp_of(scene)
        assert (found["by"], found["groups"]) == ("olga", ["ops", "writers"])
        assert found["workload"] == f"Deployment.apps/{scene.name}"

    def test_a_stamp_of_ones_own_is_replaced(self, scene: Scene) -> None:
        assert scene.create("anna", scene.workload(claim(stamp="mine"))).allowed
        assert stamp_of(scene)["by"] == "anna"

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
        before = stamp_of(scene)
        assert scene.patch(user, "Deployment", on_template(until=SOONER)).allowed
        after = stamp_of(scene)
        assert (after["by"], after["at"]) == (before["by"], before["at"])
        assert after["mac"] != before["mac"]


def template_annotations(obj: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = obj["spec"]["template"]["metadata"]["annotations"]
    return found


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
        granted = stamp_of(scene)
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] += "0"
        assert scene.apply("anna", manifest, "pipeline").allowed
        assert stamp_of(scene) == granted
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
        assert stamp_of(scene)["by"] == "anna"
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
        reference = {**_reference(cron, "CronJob"), "apiVersion": "batch/v1"}
        made["metadata"]["ownerReferences"] = [reference]
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


class TestNamespaces:
    @pytest.fixture
    def where(self, people: Gated) -> str:
        scene = Scene(people)
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"ns-{scene.name}"}}
        assert scene.create("admin", made).allowed
        return f"ns-{scene.name}"

    def test_it_takes_the_right_in_the_whole_cluster(self, scene: Scene, where: str) -> None:
        exempt = {"metadata": {"annotations": claim("node-port")}}
        for user in ("jane", "anna"):
            reply = scene.patch(user, "Namespace", exempt, name=where)
            assert f"{MAY_NOT} node-port in the whole cluster: {user} may not" in reply.text
        assert scene.patch("root", "Namespace", exempt, name=where).allowed
        wait_for(
            lambda: scene.create("jane", scene.service(), where=where, dry_run=True).allowed,
            20,
            "the gate to know",
        )
        assert "(exempt until" in scene.create("jane", scene.service(), where=where).text
        assert not scene.create("jane", scene.pod(), where=where).allowed
        assert not scene.create("jane", scene.service(), where=DEV).allowed

        copied = bare(scene.get("Namespace", where))
        copied["metadata"] = {
            "name": f"{where}-copy",
            **{"annotations": copied["metadata"]["annotations"]},
        }
        assert "jane may not" in scene.create("jane", copied).text

        assert scene.patch(
            "jane", "Namespace", {"metadata": {"annotations": None}}, name=where
        ).allowed
        wait_for(
            lambda: not scene.create("jane", scene.service(), where=where, dry_run=True).allowed,
            20,
            "the gate to know that it is no longer",
        )
