"""Exemptions over the wire: asked of a real API server that is slow or down, logged and counted."""

from __future__ import annotations

import base64
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonpatch
import pytest

from tests.cluster.middlebox import Middlebox, by_way_of
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.server.clients import Client, review
from tests.server.running import Running
from tests.server.test_questions import UNANSWERED, asking
from webhook.exemptions.claim import EXEMPT, REASON, STAMP, UNTIL
from webhook.exemptions.stamp import KeyRing, Keys
from webhook.server.stampkeys import StampKeys

RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: exempt-host-network}
rules:
- {apiGroups: [netreeve.io], resources: [policies], resourceNames: [host-network], verbs: [exempt]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: exempt-host-network}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: exempt-host-network}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: net-admins}]
"""
ANNA: dict[str, Any] = {"username": "anna", "groups": ["net-admins"]}
ACCESS_REVIEW = {
    "apiVersion": "authorization.k8s.io/v1",
    "kind": "SubjectAccessReview",
    "spec": {
        "user": "anna",
        "groups": ANNA["groups"],
        "resourceAttributes": {
            "group": "netreeve.io", "resource": "policies", "verb": "exempt",
            "name": "host-network", "namespace": "shop",
        },
    },
}  # fmt: skip
CLAIM = {
    EXEMPT: "host-network",
    REASON: "It counts the packets of the node.",
    UNTIL: f"{datetime.now(UTC) + timedelta(days=100):%Y-%m-%d}",
}
POD: dict[str, Any] = {
    "metadata": {"name": "counter", "namespace": "shop", "annotations": CLAIM},
    "spec": {"hostNetwork": True, "containers": [{"name": "main", "image": "x"}]},
}
RING = KeyRing(Keys(b"k" * 32))


@pytest.fixture(scope="module")
def kubeconfig(control_plane: ControlPlane) -> Path:
    control_plane.kubectl("apply", "-f", "-", stdin=RIGHTS)
    asked = json.dumps(ACCESS_REVIEW)

    def granted() -> bool:
        how = ("-f", "-", "-o", "jsonpath={.status.allowed}")
        return control_plane.kubectl("create", *how, stdin=asked).stdout == "true"

    wait_for(granted, 20, "the right")
    return control_plane.kubeconfig


def ask(server: Running, path: str, obj: Any = POD, **user: Any) -> dict[str, Any]:
    client = Client(server.reviews, server.ca)
    body = review(
        obj,
        kind={"group": "", "version": "v1", "kind": "Pod"},
        name=obj["metadata"]["name"],
        namespace="shop",
        userInfo=user or ANNA,
    )
    try:
        return client.ask(path, body).review
    finally:
        client.close()


def stamped(response: dict[str, Any]) -> dict[str, Any]:
    patch = json.loads(base64.b64decode(response["patch"]))
    found: dict[str, Any] = jsonpatch.apply_patch(POD, patch)
    return found


@pytest.mark.cluster
class TestAsking:
    def test_both_passes_ask_and_what_follows_is_told(
        self, directory: Path, kubeconfig: Path
    ) -> None:
        with asking(directory, kubeconfig, keys=RING) as (server, access):
            obj = stamped(ask(server, "/mutate"))
            assert json.loads(obj["metadata"]["annotations"][STAMP])["by"] == "anna"
            response = ask(server, "/validate", obj)
            assert response["allowed"] is True
            assert "(annotation by anna, until " in response["auditAnnotations"]["exempt"]
            assert "warn" not in response["auditAnnotations"]
            assert response["warnings"][0].startswith("host-network: spec.hostNetwork: must not")
            assert access.asked == 1  # the answer is remembered for a moment
            line = server.logged(message="exempted")
            (told,) = line["exempted"]
            assert (told["policy"], told["by"], told["reason"]) == (
                "host-network", "anna", CLAIM[REASON],
            )  # fmt: skip
            metrics = server.metrics.render()[0].decode()
            assert 'netreeve_exempted_total{policy="host-network"} 1.0' in metrics

    def test_without_the_right(self, directory: Path, kubeconfig: Path) -> None:
        with asking(directory, kubeconfig, keys=RING) as (server, _):
            assert "patch" not in ask(server, "/mutate", username="jane")
            response = ask(server, "/validate", username="jane")
            assert "jane may not" in response["status"]["message"]
            assert UNANSWERED not in response["status"]["message"]

    @pytest.mark.parametrize("outage", ["cut", "silence"])
    def test_the_api_server_is_away_when_it_is_asked(
        self, directory: Path, kubeconfig: Path, middlebox: Middlebox, outage: str
    ) -> None:
        getattr(middlebox, outage)()
        way = by_way_of(middlebox, kubeconfig, directory / "detour")
        started = time.monotonic()
        with asking(directory, way, keys=RING) as (server, access):
            assert "patch" not in ask(server, "/mutate")
            response = ask(server, "/validate")
            assert response["allowed"] is False
            message = response["status"]["message"]
            assert "it is not known who may" in message
            assert UNANSWERED in message
            assert access.unanswered == 2
        assert time.monotonic() - started < 10

    def test_the_mutating_pass_was_answered_and_the_other_is_not(
        self, directory: Path, kubeconfig: Path, middlebox: Middlebox
    ) -> None:
        """A stamp that has just been written is no answer."""
        with asking(directory, kubeconfig, keys=RING) as (server, _):
            obj = stamped(ask(server, "/mutate"))
        middlebox.cut()
        way = by_way_of(middlebox, kubeconfig, directory / "detour")
        with asking(directory, way, keys=RING) as (server, _):
            assert UNANSWERED in ask(server, "/validate", obj)["status"]["message"]

    def test_what_is_not_claimed_is_not_asked(self, directory: Path, kubeconfig: Path) -> None:
        with asking(directory, kubeconfig, keys=RING) as (server, access):
            clean = {**POD, "metadata": {"name": "counter"}}
            for path in ("/mutate", "/validate"):
                ask(server, path, clean)
            assert access.asked == 0


def test_without_anybody_to_ask(server: Running) -> None:
    assert UNANSWERED in ask(server, "/validate")["status"]["message"]


class TestKeys:
    @pytest.fixture
    def keys(self, tmp_path: Path) -> StampKeys:
        return StampKeys(tmp_path, KeyRing())

    def test_they_may_come_later(self, keys: StampKeys, tmp_path: Path) -> None:
        keys.poll()
        assert "No such file" in keys.missing
        assert str(tmp_path) in keys.missing
        (tmp_path / "current").write_bytes(os.urandom(32))
        keys.poll()
        assert keys.missing == ""

    def test_they_change(self, tmp_path: Path) -> None:
        ring = KeyRing()
        keys = StampKeys(tmp_path, ring)
        (tmp_path / "current").write_bytes(b"a" * 32)
        keys.poll()
        assert ring.keys == Keys(b"a" * 32)
        (tmp_path / "current").write_bytes(b"b" * 32)
        (tmp_path / "previous").write_bytes(b"a" * 32)
        keys.poll()
        assert ring.keys == Keys(b"b" * 32, b"a" * 32)
        (tmp_path / "previous").write_bytes(b"")
        keys.poll()
        assert ring.keys == Keys(b"b" * 32)

    @pytest.mark.parametrize("bad", [None, b"", b"short"])
    def test_what_cannot_be_used_takes_nothing_away(
        self, tmp_path: Path, bad: bytes | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        ring = KeyRing()
        keys, current = StampKeys(tmp_path, ring), tmp_path / "current"
        current.write_bytes(b"a" * 32)
        keys.poll()
        if bad is None:
            current.unlink()
        else:
            current.write_bytes(bad)
        for _ in range(3):
            keys.poll()
        assert ring.keys == Keys(b"a" * 32)
        assert keys.missing == ""
        assert caplog.text.count("the keys in use are kept") == 1
