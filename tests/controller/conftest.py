"""One protected control plane for the folder, with one controller for all that need one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller.control import Control
from tests.controller.protected import SOON, Protected, fresh, protected_cluster
from tests.controlplane.wait import wait_for


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    """A gate; whether a controller runs is up to the fixtures below."""
    folder: Path = tmp_path_factory.mktemp("protected")
    with protected_cluster(folder) as found:
        yield found


@pytest.fixture(scope="package")
def shared(cluster: Protected) -> Iterator[Control]:
    """Started by whoever needs it first; running or not, as the last test has left it."""
    one = cluster.controller()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def unattended(cluster: Protected, shared: Control) -> Protected:
    """A gate and no controller running; whoever starts one ends it."""
    shared.stop()
    return cluster


@pytest.fixture
def controller(shared: Control) -> Control:
    """A controller that leads."""
    if not shared.running:
        shared.start()
    wait_for(shared.leads, SOON, "the controller to lead")
    return shared


@pytest.fixture
def protected(cluster: Protected, controller: Control) -> Protected:
    """A gate and a controller that leads."""
    return cluster


@pytest.fixture
def namespace(protected: Protected) -> Iterator[str]:
    """A namespace that is covered."""
    (name,) = fresh(1, "test")
    protected.kubectl("create", "namespace", name)
    protected.await_covered([name])
    yield name
    protected.forget([name])
