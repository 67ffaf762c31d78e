"""One control plane for the folder, with the API server and the controllers that pods need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.deploy.by_kubectl import install, uninstall
from tests.helm.render import Object, objects


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Nothing is installed in it; who installs uninstalls."""
    with ControlPlane(
        controller_manager=True, folder=tmp_path_factory.mktemp("deployed")
    ) as running:
        yield running


@pytest.fixture(scope="module")
def installed(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """Enforcing, as kubectl users install it; nothing of it runs."""
    install(cluster, "enforce")
    yield cluster
    uninstall(cluster, "enforce")


@pytest.fixture(scope="package")
def default() -> list[Object]:
    """The chart without values of ours."""
    return objects()
