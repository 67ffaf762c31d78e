"""What the controller does, as metrics: namespaces, writes, the queue, and who leads."""

from __future__ import annotations

from collections.abc import Callable

from webhook.cluster.election import Election
from webhook.controller.run import Controller
from webhook.telemetry.metrics import Metrics

COVERAGE_SECONDS = (0.5, 1, 2, 3, 5, 10, 30, 60, 300)


def record_coverage(metrics: Metrics) -> Callable[[float], None]:
    """Takes the seconds from the creation of a namespace until its baseline was observed."""
    histogram = metrics.histogram(
        "netreeve.namespace.coverage.duration",
        "s",
        "From the creation of a namespace until its baseline was observed",
        COVERAGE_SECONDS,
    )
    return histogram.series({}).record


def observe_controller(metrics: Metrics, controller: Controller, election: Election) -> None:
    """Whether it leads and sees the cluster; while it leads, what it finds and writes."""
    _observe_standing(metrics, controller, election)
    _observe_work(metrics, controller)


def _observe_standing(metrics: Metrics, controller: Controller, election: Election) -> None:
    metrics.gauge(
        "netreeve.controller.leading",
        "",
        "1 while this process leads",
        lambda: election.is_leader,
    )
    metrics.gauge(
        "netreeve.controller.synced",
        "",
        "1 when the cluster is known",
        lambda: controller.synced,
    )
    metrics.gauge(
        "netreeve.controller.failing_watches",
        "",
        "Watches that are broken now",
        lambda: controller.cache.failing,
    )


def _observe_work(metrics: Metrics, controller: Controller) -> None:
    metrics.gauges(
        "netreeve.namespaces",
        "Namespaces by how they stand to the baseline, while this process leads",
        ("state",),
        controller.states.counts,
    )
    metrics.counter(
        "netreeve.controller.writes",
        "Requests that change the cluster",
        ("kind", "result"),
        controller.writer.writes,
    )
    metrics.total(
        "netreeve.controller.retries",
        "Namespaces that had to be tried again",
        lambda: controller.queue.retries,
    )
    metrics.gauge(
        "netreeve.controller.queue.depth",
        "",
        "Namespaces waiting to be looked at",
        lambda: len(controller.queue),
    )
    metrics.gauge(
        "netreeve.controller.leftovers",
        "",
        "NetworkPolicies of ours that no baseline asks for",
        controller.states.left,
    )
