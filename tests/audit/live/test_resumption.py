"""An audit goes on where the API server has forgotten what it was reading."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from tests.cluster.audit import asked
from tests.controller.api import Api
from tests.controller.protected import CLIENTS
from tests.controlplane.cluster import ControlPlane
from webhook.audit.findings import Report
from webhook.audit.live.scan import Progress, Step, Wanted, audit
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.pages import PAGE
from webhook.config import GateConfig, ruleset

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
SERVICES = PAGE + 20
AGENT = "netreeve-resumed"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of our own, with more Services than there are on a page; every hundredth is open."""
    with ControlPlane() as plane:
        where = "/api/v1/namespaces/default/services"
        with closing(Api(plane, plane.kubeconfig)) as api, ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda number: api.insist(where, service(number)), range(SERVICES)))
        yield plane


def service(number: int) -> dict[str, Any]:
    kind = "NodePort" if number % 100 == 0 else "ClusterIP"
    return {
        "metadata": {"name": f"web-{number}"},
        "spec": {"type": kind, "ports": [{"port": 80}]},
    }


def audited(plane: ControlPlane, progress: Progress) -> Report:
    async def run() -> Report:
        source = Kubeconfig(str(plane.kubeconfig))
        async with Connection(source, user_agent=AGENT) as connection:
            return await audit(connection, Wanted(ruleset(GateConfig()), time.time()), progress)

    return asyncio.run(run())


def test_the_whole_audit_ends_right_when_a_list_expires_in_the_middle(plane: ControlPlane) -> None:
    whole = audited(plane, lambda step: None)
    start = plane.audit_position()

    def forget(step: Step) -> None:
        if (step.resource, step.objects) == ("services", PAGE):
            text = plane.kubectl(
                "create", "configmap", "newer", "-n", "default", "-o", "json"
            ).stdout
            newer = json.loads(text)["metadata"]["resourceVersion"]
            plane.compact(newer)
            plane.restart_apiserver()  # its new cache has no snapshot of what etcd has forgotten

    found = audited(plane, forget)
    lists = [one for one in asked(plane, AGENT, start) if "/api/v1/services" in one.uri]
    assert [one.code for one in lists] == [200, 410, 200]
    titles = Counter(one.title for one in found.results)
    assert set(titles.values()) == {1}
    assert titles == Counter(one.title for one in whole.results)
    assert found.summary == whole.summary
    assert found.summary["denied"] == SERVICES // 100 + 1
    assert found.unreadable == ()
