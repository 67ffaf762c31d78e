"""Reading long lists page by page, from an API server that forgets in between."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from kubernetes.client import CoreV1Api

from tests.cluster.namespaces import create_namespace, label_namespace, names
from tests.controlplane.cluster import ControlPlane
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.objects import Object
from webhook.cluster.pages import pages

pytestmark = pytest.mark.cluster
NAMESPACES = "/api/v1/namespaces"


def test_every_object_comes_once_when_the_history_goes_between_two_pages(
    plane: ControlPlane, api: CoreV1Api, reader: Path
) -> None:
    for number in range(5):
        create_namespace(api, f"page-{number}")

    async def read() -> list[list[str]]:
        found: list[list[str]] = []
        async with Connection(Kubeconfig(str(reader))) as connection:
            async for page in pages(connection, NAMESPACES, size=3):
                found.append([msgspec.json.decode(one, type=Object).key for one in page])
                if len(found) == 1:
                    plane.compact(label_namespace(api, "page-0", seen="true"))
                    # Its new cache has no snapshot of what etcd has forgotten.
                    plane.restart_apiserver()
        return found

    found = asyncio.run(read())
    every = [name for page in found for name in page]
    assert len(found) > 2
    assert sorted(every) == sorted(set(every))
    assert set(every) == names(api)
