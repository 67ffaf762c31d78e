"""An API server of this folder's own, since its tests restart it, and who may read from it."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kubernetes.client import (
    CoreV1Api,
    V1ConfigMap,
    V1Namespace,
    V1NamespaceSpec,
    V1Node,
    V1ObjectMeta,
)

from tests.cluster.middlebox import Middlebox
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

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

Grant = Callable[[str, str], None]


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
            wait_for(partial(allowed, group, resource), 10, f"{group} to see {resource}")

    def allowed(group: str, resource: str) -> bool:
        question = ("auth", "can-i", "list", resource, "--as=anybody", f"--as-group={group}")
        return plane.kubectl(*question, check=False).returncode == 0

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


def by_way_of(middlebox: Middlebox, kubeconfig: Path, path: Path) -> Path:
    """The same kubeconfig with the middlebox for an API server, written to `path`."""
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{middlebox.port}"
    path.write_text(json.dumps(config))
    return path


def create_namespace(api: CoreV1Api, name: str, **labels: str) -> str:
    """Create a namespace; its resourceVersion."""
    body = V1Namespace(metadata=V1ObjectMeta(name=name, labels=labels))
    return version(api.create_namespace(body))


def label_namespace(api: CoreV1Api, name: str, **labels: str | None) -> str:
    """Set labels, remove those that are None; its resourceVersion."""
    return version(api.patch_namespace(name, {"metadata": {"labels": labels}}))


def remove_namespace(api: CoreV1Api, name: str) -> None:
    """Delete a namespace to its end, which is otherwise a controller's work."""
    api.delete_namespace(name)
    body = V1Namespace(metadata=V1ObjectMeta(name=name), spec=V1NamespaceSpec(finalizers=[]))
    api.replace_namespace_finalize(name, body)
    wait_for(lambda: name not in names(api), 5, f"the end of {name}")


def names(api: CoreV1Api) -> set[str]:
    """Of all namespaces there are."""
    return {str(one.metadata.name) for one in api.list_namespace().items if one.metadata}


def version(made: V1Namespace | V1ConfigMap | V1Node) -> str:
    """Its resourceVersion."""
    assert made.metadata
    return str(made.metadata.resource_version)
