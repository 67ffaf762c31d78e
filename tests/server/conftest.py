"""One server for the tests that leave it as it was, and clients that are closed after the test."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cluster.middlebox import Middlebox
from tests.controlplane.cluster import ControlPlane
from tests.server.clients import Client
from tests.server.running import Running, running
from webhook.server.limits import Limits


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server"), limits=Limits(linger=0.05)) as found:
        yield found


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    found = Client(server.reviews, server.ca)
    yield found
    found.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a server of the test's own has its certificates and its log."""
    return tmp_path


@pytest.fixture
def middlebox(control_plane: ControlPlane) -> Iterator[Middlebox]:
    """A network to the API server that the test can cut."""
    with Middlebox(urlsplit(control_plane.url).port or 0) as relay:
        yield relay
