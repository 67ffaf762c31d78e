"""What the metrics tell of an API server that cannot be reached."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from opentelemetry.sdk.resources import Resource

from tests.server.running import ANY, TIMEOUT
from webhook.cluster.cache import ClusterCache
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.server.following import observe_following
from webhook.server.listen import bind, bound
from webhook.telemetry.metrics import Metrics

RESOURCES = ("namespaces", "nodes", "networkpolicies", "leases")


def kubeconfig(directory: Path, server: str) -> Path:
    file = directory / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "users": [{"name": "a", "user": {"token": "t"}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    file.write_text(json.dumps(content))
    return file


async def observed(source: Kubeconfig) -> tuple[str, str]:
    """The metrics before the first attempt, and when all have failed."""
    await source.load()
    async with Connection(source) as connection:
        cluster, metrics = ClusterCache(connection), Metrics(Resource({}))
        observe_following(metrics, cluster)
        before = metrics.render()[0].decode()
        running = asyncio.create_task(cluster.run())
        async with asyncio.timeout(TIMEOUT):
            while metrics.render()[0].count(b'"} 1.0') < len(RESOURCES):
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return before, metrics.render()[0].decode()


def test_each_resource_tells_that_it_cannot_be_followed(tmp_path: Path) -> None:
    with bind(ANY) as closed:
        address = bound(closed)
    file = kubeconfig(tmp_path, f"https://{address}")
    before, after = asyncio.run(observed(Kubeconfig(str(file))))
    for resource in RESOURCES:
        assert f'netreeve_cluster_failing{{resource="{resource}"}} 0.0' in before
        assert f'netreeve_cluster_failing{{resource="{resource}"}} 1.0' in after
    assert "netreeve_cluster_synced 0.0" in after
    assert "netreeve_baseline_unread 0.0" in after
    assert "netreeve_cluster_age_seconds{" not in after
