"""`netreeve exemptions` and `netreeve audit` of a real cluster with exemptions in every state."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.apiserver.gated import Gated
from tests.apiserver.people import DEV, Scene
from tests.controlplane.wait import wait_for
from tests.exemptions.world import claim

pytestmark = pytest.mark.cluster
SECRET = "netreeve/netreeve-stamp"
FORMER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: exempt-former, namespace: %s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: exempt-some}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: felix}]
"""


def netreeve(gated: Gated, *arguments: str) -> Any:
    """The JSON that a command prints."""
    way = gated.control_plane.kubeconfig
    done = subprocess.run(
        [sys.executable, "-m", "webhook", *arguments, "--kubeconfig", str(way), "-o", "json"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return {**json.loads(done.stdout), "code": done.returncode, "stderr": done.stderr}


@pytest.fixture(scope="module")
def secret(people: Gated) -> str:
    """The keys of the running gate, where `netreeve control` has them."""
    keys = {one.name: one.read_bytes() for one in people.gate.stamp_keys.iterdir()}
    data = {name: base64.b64encode(key).decode() for name, key in keys.items()}
    namespace, name = SECRET.split("/")
    meta = {"name": name, "namespace": namespace}
    people.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    people.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data}
    ).check_returncode()
    return SECRET


def listed(found: Any, scene: Scene) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = found["exemptions"]
    return [one for one in rows if one["name"].startswith(scene.name)]


@pytest.mark.usefixtures("secret")
def test_every_exemption_and_what_it_is_for(people: Gated, scene: Scene) -> None:
    assert scene.create(
        "olga", scene.workload(claim("host-network", "host-port"), replicas=1)
    ).allowed
    wait_for(lambda: scene.all("Pod"), 20, "the pod")
    soon = f"{datetime.now(UTC) + timedelta(days=5):%Y-%m-%d}"
    service = scene.service(claim("node-port", until=soon, ticket="OPS-1"))
    assert scene.create("anna", service).allowed
    assert (
        scene.patch("anna", "Service", {"spec": {"type": "ClusterIP", "ports": None}}).status == 422
    )
    quiet = {"spec": {"type": "ClusterIP", "ports": [{"port": 80, "nodePort": None}]}}
    assert scene.patch("anna", "Service", quiet).allowed

    found = netreeve(people, "exemptions", "-n", DEV)
    assert found["code"] == 0
    first, second = listed(found, scene)
    assert (first["kind"], first["by"], first["ticket"], first["needed"]) == (
        "Service", "anna", "OPS-1", [],
    )  # fmt: skip
    assert first["daysLeft"] in (4, 5)
    assert second["kind"] == "Deployment"
    assert (second["by"], second["state"], second["needed"]) == (
        "olga",
        "granted",
        ["host-network"],
    )
    assert second["policies"] == ["host-network", "host-port"]

    judged = netreeve(people, "audit", "-n", DEV)
    (row,) = [one for one in judged["objects"] if one["name"] == scene.name and one["findings"]]
    (finding,) = row["findings"]
    assert row["kind"] == "Deployment"
    assert (finding["action"], finding["exempt"]["by"]) == ("Warn", "olga")


@pytest.mark.usefixtures("secret")
def test_who_could_not_grant_it_any_more(people: Gated, scene: Scene) -> None:
    people.kubectl("apply", "-f", "-", stdin=FORMER % DEV)
    felix = scene.pod(claim())
    how = ("--as=felix", "--as-group=writers", "-n", DEV, "-f", "-")

    def granted() -> bool:
        done = people.kubectl("create", *how, stdin=json.dumps(felix), check=False)
        return done.returncode == 0

    wait_for(granted, 20, "the right of Felix")
    other = Scene(people)
    assert other.create("olga", other.pod(claim())).allowed
    people.kubectl("delete", "rolebinding", "exempt-former", "-n", DEV)

    def lost() -> list[dict[str, Any]]:
        found = netreeve(people, "exemptions", "-n", DEV, "--recheck")
        (kept,) = listed(found, other)
        assert kept["lost"] == []
        return [one for one in listed(found, scene) if one["lost"] == ["host-network"]]

    assert wait_for(lost, 60, "the API server to know that the right is gone")
    assert scene.exists("Pod")


def test_without_the_keys_nothing_is_verified(people: Gated, scene: Scene) -> None:
    scene.exempt()
    found = netreeve(people, "exemptions", "-n", DEV, "--stamp-secret", "netreeve/none")
    assert "there is no Secret netreeve/none: stamps are not verified" in found["stderr"]
    (one,) = listed(found, scene)
    assert one["state"] == "not verified"


@pytest.mark.usefixtures("secret")
def test_those_who_may_read_less_are_told(people: Gated) -> None:
    nobody = people.control_plane.kubeconfig_for("nobody")
    done = subprocess.run(
        [sys.executable, "-m", "webhook", "exemptions", "--kubeconfig", str(nobody)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert "cannot read pods: you may not list pods in the whole cluster" in done.stdout
    assert "0 exemptions" not in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "not known how many exemptions there are: none in what could be read"
    )
    assert (
        "you may not get secrets/netreeve-stamp in namespace netreeve: stamps are not verified"
    ) in done.stderr
