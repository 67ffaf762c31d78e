"""The registry of metrics: OpenTelemetry instruments, rendered for Prometheus at /metrics.

Counters are plain dictionaries that the SDK observes when it is scraped (why: `histogram`).
Knows no admission: names and labels come from the caller, who bounds them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider, export
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)

from webhook.telemetry.histogram import Histogram

_SCOPE = "netreeve"


class Reader(PrometheusMetricReader):
    """A Prometheus reader that adds our histograms to what the SDK collected."""

    def __init__(self, registry: CollectorRegistry, histograms: Sequence[Histogram]) -> None:
        super().__init__(registry=registry, scope_info_enabled=False)
        self._histograms = histograms

    def _receive_metrics(
        self, metrics_data: export.MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        super()._receive_metrics(self._with_histograms(metrics_data), timeout_millis, **kwargs)

    def _with_histograms(self, collected: export.MetricsData) -> export.MetricsData:
        first, *rest = collected.resource_metrics
        own = export.ScopeMetrics(
            InstrumentationScope(_SCOPE), [one.metric() for one in self._histograms], ""
        )
        first = dataclasses.replace(first, scope_metrics=[*first.scope_metrics, own])
        return export.MetricsData([first, *rest])


class Metrics:
    """Instruments by name (OpenTelemetry spelling, dots; Prometheus gets underscores and units).

    resource: attributes of this process, exported once as target_info.
    """

    def __init__(self, resource: Resource) -> None:
        self._histograms: list[Histogram] = []
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # memory, processor time, open files
        self._provider = MeterProvider(
            metric_readers=[Reader(self._registry, self._histograms)],
            resource=resource,
            shutdown_on_exit=False,
        )
        self._meter = self._provider.get_meter(_SCOPE)

    def histogram(
        self, name: str, unit: str, description: str, bounds: Sequence[float]
    ) -> Histogram:
        one = Histogram(name, unit, description, bounds)
        self._histograms.append(one)
        return one

    def counter(
        self,
        name: str,
        description: str,
        labels: tuple[str, ...],
        counts: Mapping[tuple[str, ...], int],
    ) -> None:
        """Export ``counts``, which only grow: label values in the order of ``labels`` -> count."""

        def observe(options: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(count, dict(zip(labels, values, strict=True)))
                for values, count in list(counts.items())
            ]

        self._meter.create_observable_counter(name, [observe], "", description)

    def gauge(
        self, name: str, unit: str, description: str, read: Callable[[], float | None]
    ) -> None:
        """Export what ``read`` returns when scraped; None: nothing yet."""

        def observe(options: CallbackOptions) -> Iterable[Observation]:
            value = read()
            return [] if value is None else [Observation(value)]

        self._meter.create_observable_gauge(name, [observe], unit, description)

    def gauges(
        self,
        name: str,
        description: str,
        labels: tuple[str, ...],
        read: Callable[[], Mapping[tuple[str, ...], float]],
    ) -> None:
        """Export what ``read`` returns when scraped: values of ``labels`` in order -> value."""

        def observe(options: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(value, dict(zip(labels, values, strict=True)))
                for values, value in read().items()
            ]

        self._meter.create_observable_gauge(name, [observe], "", description)

    def total(self, name: str, description: str, read: Callable[[], int]) -> None:
        """Export what ``read`` returns when scraped: a count that only grows."""

        def observe(options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(read())]

        self._meter.create_observable_counter(name, [observe], "", description)

    def render(self) -> tuple[bytes, str]:
        """(body, content type) for a scrape."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def close(self) -> None:
        self._provider.shutdown()
