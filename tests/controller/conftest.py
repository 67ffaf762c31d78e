"""One protected control plane for the folder, with one controller that runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller.control import Control
from tests.controller.protected import SOON, Protected, fresh, protected_cluster
from tests.controlplane.wait import wait_for


@pytest.fixture(scope="package")
def unattended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    """A gate and no controller running; whoever starts one ends it."""
    folder: Path = tmp_path_factory.mktemp("protected")
    with protected_cluster(folder) as cluster:
        yield cluster


@pytest.fixture
def controller(unattended: Protected) -> Iterator[Control]:
    """A controller that leads."""
    one = unattended.controller()
    one.start()
    wait_for(one.leads, SOON, "the controller to lead")
    yield one
    one.stop()


@pytest.fixture
def protected(unattended: Protected, controller: Control) -> Protected:
    """A gate and a controller that leads."""
    return unattended


@pytest.fixture
def namespace(protected: Protected) -> Iterator[str]:
    """A namespace that is covered."""
    (name,) = fresh(1, "test")
    protected.kubectl("create", "namespace", name)
    protected.await_covered([name])
    yield name
    protected.forget([name])
