"""The control plane as pytest fixtures; nothing in here is used unless a test asks for it.

A session has one control plane only if every test gets these very fixtures from one place:
importing them into two conftest files that do not see each other makes two.
"""

import uuid
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from kubernetes.client import CoreV1Api, V1Namespace, V1ObjectMeta

from tests.controlplane import build
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

NODE = "node-1"
DEFAULT = "metadata.name=default"


@pytest.fixture(scope="session")
def control_plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """All four servers and one schedulable node; logs stay in pytest's temporary folder."""
    # A cold build takes minutes, and should not look like a test that hangs.
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        binaries = build.ensure()
    folder = tmp_path_factory.mktemp("control-plane")
    with ControlPlane(
        controller_manager=True, scheduler=True, binaries=binaries, folder=folder
    ) as running:
        running.add_node(NODE)
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace of its own that pods can be created in; its end is not waited for."""
    api = CoreV1Api(control_plane.api_client())
    name = f"test-{uuid.uuid4().hex[:8]}"
    api.create_namespace(V1Namespace(metadata=V1ObjectMeta(name=name)))
    wait_for(
        lambda: api.list_namespaced_service_account(name, field_selector=DEFAULT).items,
        10,
        f"the default ServiceAccount of {name}",
    )
    yield name
    api.delete_namespace(name)
    # Without a kubelet nobody else confirms that a bound pod has ended.
    api.delete_collection_namespaced_pod(name, grace_period_seconds=0)
