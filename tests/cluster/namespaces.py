"""Namespaces of the tests, by the administrator's client."""

from kubernetes.client import (
    CoreV1Api,
    V1ConfigMap,
    V1Namespace,
    V1NamespaceSpec,
    V1Node,
    V1ObjectMeta,
)

from tests.controlplane.wait import wait_for


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
