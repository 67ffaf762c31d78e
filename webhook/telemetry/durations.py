"""How long reviews took, by what was asked: few series, whatever a hostile peer writes."""

from __future__ import annotations

from collections.abc import Iterable

from policies.model import CONNECT, CREATE, DELETE, UPDATE
from webhook.admission.review import AdmissionRequest
from webhook.telemetry.histogram import Series
from webhook.telemetry.metrics import Metrics

BUCKETS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0),
)
"""Seconds. kube-apiserver's own histogram of webhooks starts at 5 ms, where ours should end."""

OTHER = "other"
_OPERATIONS = frozenset({CREATE, UPDATE, DELETE, CONNECT})

_Key = tuple[str, str, str, str, str | None, bool]


class Durations:
    """Seconds by webhook, operation, resource and whether the review was allowed.

    A resource that nobody announced with `knows` is counted as ``other``, so there are at most
    as many series as the configuration makes possible.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._series: dict[_Key, Series] = {}
        self._histogram = metrics.histogram(
            "netreeve.admission.review.duration",
            "s",
            "Time from the head of a review to its answer",
            BUCKETS,
        )

    def knows(self, resources: Iterable[tuple[str, str]]) -> None:
        """(group, ``resource`` or ``resource/subresource``) that get a series of their own."""
        for group, resource in resources:
            self._names[group, resource] = f"{resource}.{group}" if group else resource

    def record(self, webhook: str, asked: AdmissionRequest, allowed: bool, seconds: float) -> None:
        resource = asked.resource
        key = (
            webhook,
            asked.operation,
            resource.group,
            resource.resource,
            asked.subResource,
            allowed,
        )
        series = self._series.get(key)
        if series is None:
            series = self._new_series(key)
        series.record(seconds)

    def _new_series(self, key: _Key) -> Series:
        webhook, operation, group, resource, subresource, allowed = key
        name = self._names.get((group, f"{resource}/{subresource}" if subresource else resource))
        if name is None or operation not in _OPERATIONS:
            operation = operation if operation in _OPERATIONS else OTHER
            name, key = OTHER, (webhook, operation, "", OTHER, None, allowed)
        if key not in self._series:
            labels = {"webhook": webhook, "operation": operation, "resource": name}
            labels["allowed"] = "true" if allowed else "false"
            self._series[key] = self._histogram.series(labels)
        return self._series[key]
