"""One gated control plane for the folder: its webhooks must not judge other tests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.apiserver.gated import Gated, gated_cluster
from tests.apiserver.people import DEV, OTHER, RIGHTS, Scene
from tests.controlplane.wait import wait_for
from tests.exemptions.world import claim


@pytest.fixture(scope="package")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    """API server, controllers and scheduler with the gate enforcing, failurePolicy Fail."""
    folder: Path = tmp_path_factory.mktemp("gated")
    with gated_cluster(folder) as cluster:
        cluster.add_node_of("azure")  # whose annotation the tests use for what is internal
        cluster.register()
        cluster.control_plane.start_controller_manager()
        cluster.control_plane.start_scheduler()
        cluster.control_plane.add_node("node-1")
        yield cluster


@pytest.fixture
def namespace(gated: Gated) -> str:
    """A fresh namespace that pods can be created in; it goes with the control plane."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    gated.kubectl("create", "namespace", name)
    wait_for(
        lambda: (
            gated.kubectl("get", "serviceaccount", "default", "-n", name, check=False).returncode
            == 0
        ),
        10,
        f"the default ServiceAccount of {name}",
    )
    return name


@pytest.fixture(scope="package")
def people(gated: Gated) -> Gated:
    """Namespaces, rights, and the gate knowing of both."""
    for name in (DEV, OTHER):
        labels = {"kubernetes.io/metadata.name": name, "env": "strict"}
        meta = {"name": name, "labels": labels}
        gated.create({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    gated.kubectl("apply", "-f", "-", stdin=RIGHTS)
    scene = Scene(gated)
    for user, where in (("anna", DEV), ("carl", OTHER), ("root", DEV)):
        wait_for(partial(_may, scene, user, where), 20, f"the right of {user}")
    wait_for(lambda: scene.create("olga", scene.pod(claim()), dry_run=True).allowed, 20, "accounts")
    return gated


def _may(scene: Scene, user: str, where: str) -> bool:
    exempt = scene.service(claim("node-port"))
    return scene.create(user, exempt, where=where, dry_run=True).allowed


@pytest.fixture
def scene(people: Gated) -> Scene:
    return Scene(people)
