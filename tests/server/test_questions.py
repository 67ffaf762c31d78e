"""Denials that a right of the requester lifts: asked of a real API server, while others go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from policies.model import Right, User
from tests.cluster.middlebox import Middlebox, by_way_of
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.server.clients import (
    HOST_NETWORK_POD,
    Client,
    connected,
    head,
    read_answer,
    review,
)
from tests.server.running import Running, running
from webhook.admission.exempt import NO_KEYS
from webhook.cluster.access import Access
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.exemptions.stamp import KeyRing
from webhook.server.limits import Limits

pytestmark = pytest.mark.cluster

RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: exempt-baseline}
rules:
- {apiGroups: [netreeve.io], resources: [policies], resourceNames: [baseline], verbs: [exempt]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: exempt-baseline}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: exempt-baseline}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: baseline-admins}]
"""
ADMIN: dict[str, Any] = {"username": "anna", "groups": ["baseline-admins"], "extra": {"a": ["b"]}}
UNANSWERED = "Whether you may exempt this could not be asked of the API server; try again"


def unlabelled(**user: Any) -> bytes:
    """A review that takes its baseline from a namespace."""
    before = {"metadata": {"name": "shop", "labels": {"netreeve.io/baseline": "default-deny"}}}
    return review(
        {"metadata": {"name": "shop", "labels": {}}},
        oldObject=before,
        operation="UPDATE",
        namespace="shop",
        kind={"group": "", "version": "v1", "kind": "Namespace"},
        resource={"group": "", "version": "v1", "resource": "namespaces"},
        userInfo=user or {"username": "jane"},
    )


@contextmanager
def asking(
    directory: Path, kubeconfig: Path, limits: Limits | None = None, keys: KeyRing = NO_KEYS
) -> Iterator[tuple[Running, Access]]:
    """A server that may ask."""
    connection = Connection(Kubeconfig(str(kubeconfig)))
    access = Access(connection)
    with running(directory, access=access, limits=limits, keys=keys) as server:
        try:
            yield server, access
        finally:
            asyncio.run_coroutine_threadsafe(connection.close(), server.loop).result(5)


@pytest.fixture(scope="module")
def kubeconfig(control_plane: ControlPlane) -> Path:
    """Of somebody who may ask, once there is somebody who may exempt."""
    control_plane.kubectl("apply", "-f", "-", stdin=RIGHTS)
    admin, right = User("anna", "", ("baseline-admins",)), Right("baseline")

    async def granted() -> bool:
        async with Connection(Kubeconfig(str(control_plane.kubeconfig))) as connection:
            return (await Access(connection).allowed(admin, [right])).get(right, False)

    wait_for(lambda: asyncio.run(granted()), 10, "the right")
    return control_plane.kubeconfig


def ask(server: Running, body: bytes) -> dict[str, Any]:
    client = Client(server.reviews, server.ca)
    try:
        return client.ask("/validate", body).review
    finally:
        client.close()


def test_with_the_right_it_is_a_warning(directory: Path, kubeconfig: Path) -> None:
    with asking(directory, kubeconfig) as (server, access):
        response = ask(server, unlabelled(**ADMIN))
        assert response["allowed"] is True
        assert "baseline-guard: metadata.labels" in response["auditAnnotations"]["warn"]
        assert [text.endswith(" (allowed: you may exempt it)") for text in response["warnings"]]
        assert ask(server, unlabelled(**ADMIN))["allowed"] is True
        assert access.asked == 1


def test_without_the_right_it_is_a_denial(directory: Path, kubeconfig: Path) -> None:
    with asking(directory, kubeconfig) as (server, access):
        response = ask(server, unlabelled())
        assert response["allowed"] is False
        assert "must stay default-deny" in response["status"]["message"]
        assert UNANSWERED not in response["status"]["message"]
        assert access.asked == 1


def test_what_no_right_lifts_is_not_asked(directory: Path, kubeconfig: Path) -> None:
    with asking(directory, kubeconfig) as (server, access):
        assert ask(server, review())["allowed"] is True
        assert ask(server, review(HOST_NETWORK_POD))["allowed"] is False
        client = Client(server.reviews, server.ca)
        assert client.ask("/mutate", review()).review["allowed"] is True
        client.close()
        assert access.asked == 0


def test_without_an_answer_it_is_a_denial_that_says_so(
    directory: Path, kubeconfig: Path, middlebox: Middlebox
) -> None:
    middlebox.cut()
    way = by_way_of(middlebox, kubeconfig, directory / "detour")
    with asking(directory, way) as (server, access):
        response = ask(server, unlabelled(**ADMIN))
        assert response["allowed"] is False
        assert UNANSWERED in response["status"]["message"]
        assert access.unanswered == 1


def test_nobody_to_ask(server: Running) -> None:
    response = ask(server, unlabelled(**ADMIN))
    assert response["allowed"] is False
    assert UNANSWERED in response["status"]["message"]


def test_others_are_answered_meanwhile(
    directory: Path, kubeconfig: Path, middlebox: Middlebox
) -> None:
    middlebox.silence()
    way = by_way_of(middlebox, kubeconfig, directory / "detour")
    body = unlabelled(**ADMIN)
    with (
        asking(directory, way) as (server, access),
        connected(server.reviews, server.ca) as connection,
    ):
        started = time.monotonic()
        connection.sendall(head(len(body)) + body)
        wait_for(lambda: access.asked, 5, "the question")
        assert ask(server, review())["allowed"] is True
        assert not access.unanswered  # the first one still waits
        response = read_answer(connection).review
        assert time.monotonic() - started < 3
        assert UNANSWERED in response["status"]["message"]


def test_what_waits_may_not_fill_the_memory(directory: Path, kubeconfig: Path) -> None:
    body = unlabelled(**ADMIN)
    with asking(directory, kubeconfig, Limits(buffered_bytes=len(body) - 1)) as (server, access):
        response = ask(server, body)
        assert UNANSWERED in response["status"]["message"]
        assert access.asked == 0
    with asking(directory, kubeconfig, Limits(buffered_bytes=len(body))) as (server, access):
        for _ in range(3):
            assert ask(server, body)["allowed"] is True


def test_only_the_verdict_with_the_answer_is_counted(directory: Path, kubeconfig: Path) -> None:
    with asking(directory, kubeconfig) as (server, _):
        ask(server, unlabelled(**ADMIN))
        lines = server.metrics.render()[0].decode().splitlines()
        counts = [line for line in lines if line.startswith("netreeve_admission_findings_total{")]
        assert len(counts) == 1
        assert 'action="Warn"' in counts[0]
        assert counts[0].endswith(" 1.0")
