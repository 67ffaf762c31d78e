"""How well the API server is followed, as metrics: by resource, whether it fails and since when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from webhook.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from webhook.cluster.cache import ClusterCache
    from webhook.cluster.reflector import Reflector


def observe_following(metrics: Metrics, cluster: ClusterCache) -> None:
    """netreeve_cluster_synced, _failing, _age_seconds (none before the first answer), and
    netreeve_baseline_unread."""
    metrics.gauge(
        "netreeve.cluster.synced",
        "",
        "1 when the namespaces and nodes are known",
        lambda: float(cluster.synced),
    )
    metrics.gauge(
        "netreeve.baseline.unread",
        "",
        "1 while nothing waits for a baseline because the controller's Lease may not be read",
        lambda: float(cluster.baseline_unread),
    )
    followed: dict[str, Reflector[Any]] = {
        "namespaces": cluster.namespaces,
        "nodes": cluster.nodes,
        "networkpolicies": cluster.policies,
        "leases": cluster.leases,
    }
    metrics.gauges(
        "netreeve.cluster.failing",
        "1 while the API server cannot be followed; what is known of the resource grows old",
        ("resource",),
        lambda: {(name,): float(bool(one.failure)) for name, one in followed.items()},
    )
    metrics.gauges(
        "netreeve.cluster.age_seconds",
        "Since the API server was last heard of; up to 300 is normal where nothing changes",
        ("resource",),
        lambda: {
            (name,): time.monotonic() - one.last_progress
            for name, one in followed.items()
            if one.last_progress is not None
        },
    )
