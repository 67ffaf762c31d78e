"""An API server of this folder's own, since its tests restart it, and who may read from it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kubernetes.client import CoreV1Api

from tests.cluster.middlebox import Middlebox, by_way_of
from tests.cluster.namespaces import create_namespace
from tests.cluster.users import Grant, await_right
from tests.controlplane.cluster import ControlPlane

READERS = "readers"
MANY = 1200
RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %(group)s}
rules:
- {apiGroups: [""], resources: [%(resources)s], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %(group)s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %(group)s}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: %(group)s}
"""


@pytest.fixture(scope="package")
def plane() -> Iterator[ControlPlane]:
    """etcd and kube-apiserver, nothing else."""
    with ControlPlane() as running:
        yield running


@pytest.fixture(scope="package")
def api(plane: ControlPlane) -> CoreV1Api:
    """The administrator's client."""
    return CoreV1Api(plane.api_client())


@pytest.fixture(scope="package")
def grant(plane: ControlPlane) -> Grant:
    """Give a group the right to list and watch resources of the core group."""

    def apply(group: str, resources: str) -> None:
        rights = RIGHTS % {"group": group, "resources": resources}
        plane.kubectl("apply", "-f", "-", stdin=rights)
        for resource in resources.split(", "):
            await_right(plane, group, "list", resource)

    return apply


@pytest.fixture(scope="package")
def reader(plane: ControlPlane, grant: Grant) -> Path:
    """The kubeconfig of a user with exactly the rights that the cache says it needs."""
    grant(READERS, "namespaces, nodes")
    return plane.kubeconfig_for("reader", (READERS,))


@pytest.fixture(scope="package")
def many(plane: ControlPlane, api: CoreV1Api) -> list[str]:
    """Names of namespaces, more than fit on one page."""
    names = [f"many-{number}" for number in range(MANY)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: create_namespace(api, name), names))
    return names


@pytest.fixture
def middlebox(plane: ControlPlane) -> Iterator[Middlebox]:
    """A network to the API server that the test can cut."""
    with Middlebox(urlsplit(plane.url).port or 0) as relay:
        yield relay


@pytest.fixture
def behind(reader: Path, middlebox: Middlebox, tmp_path: Path) -> Path:
    """The reader's kubeconfig, by way of the middlebox."""
    return by_way_of(middlebox, reader, tmp_path / "behind.kubeconfig")


@pytest.fixture
def agent(request: pytest.FixtureRequest) -> str:
    """A user agent by which the audit log knows the requests of this test."""
    return f"netreeve-{request.node.name}"
