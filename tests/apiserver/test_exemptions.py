"""Who may exempt what, and what becomes of it: a table, on a real API server with real RBAC.

Each row is one request, after whatever it takes to make it possible, and what is said to it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.apiserver.gated import Gated
from tests.apiserver.people import (
    DEV,
    LATER,
    OTHER,
    RESTART,
    SOONER,
    Reply,
    Scene,
    bare,
    on_template,
    reference,
)
from tests.controlplane.wait import wait_for
from tests.exemptions.world import claim
from webhook.exemptions.claim import STAMP

pytestmark = pytest.mark.cluster

ALLOWED = ""
MAY_NOT = "must be granted by someone who may exempt from"
DEPLOYER, PLAIN = (f"system:serviceaccount:{DEV}:{name}" for name in ("deployer", "plain"))


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
            meta["ownerReferences"] = [reference(of, owner)]
            meta["labels"] = {**meta["labels"], "app": "other"}  # else the controller ends it
        made = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
        return scene.create(user, made)

    return act


def _alike(scene: Scene, user: str, name: str) -> Reply:
    template = scene.exempt()["spec"]["template"]
    made = scene.workload(kind="ReplicaSet", name=f"{scene.name}{name}")
    made["spec"]["template"] = copy.deepcopy(template)
    made["metadata"]["ownerReferences"] = [reference(scene.get("Deployment"), "Deployment")]
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
