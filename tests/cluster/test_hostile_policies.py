"""Memory of the caches, when somebody who may write NetworkPolicies in one namespace wants it all.

Every server holds the same: what takes one beyond its limit takes them all, again at each start.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pytest
from kubernetes.client import CoreV1Api

from policies.network_policies.length import TOO_LONG
from tests.cluster.background import running
from tests.cluster.namespaces import create_namespace
from tests.controller.api import Api
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.pages import PAGE_BYTES
from webhook.cluster.policies import MOST_OF_NAMESPACE, Policies

pytestmark = pytest.mark.cluster

POLICIES = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"
CATCH_UP = 30.0
COUNT = 96
VALUES = 24_000
"""In a selector: below the 256 KiB that the gate reads; decoded it takes seven times as much."""
MOST_MIB = 64
"""Of them all: a third of what they would take decoded, and less than their texts take twice."""
MEASURED = """
import asyncio, re, sys
from webhook.cluster.cache import ClusterCache
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024

async def main():
    async with Connection(Kubeconfig(sys.argv[1])) as connection:
        await connection.read("/version")
        before = peak()
        cache = ClusterCache(connection)
        following = asyncio.create_task(cache.run())
        while not cache.synced:
            await asyncio.sleep(0.05)
        print(peak() - before, len(cache.network_policies("hoard")))
        following.cancel()

asyncio.run(main())
"""


def policy(name: str, values: int) -> dict[str, object]:
    found = [f"{name}-{number}" for number in range(values)]
    selector = {"matchExpressions": [{"key": "a", "operator": "In", "values": found}]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": selector},
    }


@pytest.fixture(scope="module")
def admin(plane: ControlPlane) -> Iterator[Api]:
    with closing(Api(plane, plane.kubeconfig)) as found:
        yield found


@pytest.fixture(scope="module")
def hoard(api: CoreV1Api, admin: Api) -> str:
    """A namespace with more than any page or process should take at once."""
    create_namespace(api, "hoard")
    made = [policy(f"p{number}", VALUES) for number in range(COUNT)]
    assert len(json.dumps(made)) > PAGE_BYTES
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(partial(admin.create, POLICIES.format("hoard")), made))
    return "hoard"


@pytest.mark.usefixtures("hoard")
def test_nobody_takes_the_memory_of_every_server(plane: ControlPlane) -> None:
    command = (sys.executable, "-c", MEASURED, str(plane.kubeconfig))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    taken, known = map(int, done.stdout.split())
    assert taken < MOST_MIB
    assert 1 < known < COUNT


def test_what_is_not_held_counts_as_too_much_there_and_nowhere_else(
    plane: ControlPlane, api: CoreV1Api, admin: Api, hoard: str
) -> None:
    create_namespace(api, "beside")
    connection = Connection(Kubeconfig(str(plane.kubeconfig)))
    policies = Policies(connection)
    with running(connection, policies.reflector.run):
        wait_for(lambda: policies.reflector.synced, CATCH_UP, "the list")
        assert TOO_LONG in policies.of(hoard)
        assert policies.held <= MOST_OF_NAMESPACE

        admin.create(POLICIES.format("beside"), policy("mine", 2))
        wait_for(lambda: policies.of("beside"), CATCH_UP, "a policy beside")
        (mine,) = policies.of("beside")
        assert mine.spec
        assert mine.spec.podSelector
        assert mine.spec.podSelector.matches({"a": "mine-1"})

        admin.delete(POLICIES.format(hoard))
        wait_for(lambda: not policies.of(hoard), CATCH_UP, "the end of the others")
        assert policies.held < 1024, "what is gone counts no more"
        admin.create(POLICIES.format(hoard), policy("again", 2))
        wait_for(lambda: policies.of(hoard), CATCH_UP, "room for another")
        assert TOO_LONG not in policies.of(hoard)
