"""Metrics as Prometheus reads them, whatever reviews said."""

from __future__ import annotations

import io
import math
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families

from policies.model import Action
from tests.telemetry.given import PATCHED, asked, verdict
from webhook.admission.verdict import ALLOWED, Verdict
from webhook.telemetry.durations import BUCKETS
from webhook.telemetry.lines import LineWriter
from webhook.telemetry.logs import Log
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.telemetry import Telemetry

Series = dict[frozenset[tuple[str, str]], float]


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    found = Metrics(Resource({"service.name": "netreeve", "service.version": "1.2.3"}))
    yield found
    found.close()


@pytest.fixture
def telemetry(metrics: Metrics) -> Iterator[Telemetry]:
    writer = LineWriter(io.BytesIO())
    yield Telemetry(metrics, Log(writer))
    writer.close()


def scraped(metrics: Metrics, name: str) -> Series:
    body, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    return {
        frozenset(sample.labels.items()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name == name
    }


def labels(**values: str) -> frozenset[tuple[str, str]]:
    return frozenset(values.items())


@pytest.mark.usefixtures("telemetry")  # the SDK hands nothing on while it has nothing itself
def test_a_histogram_is_what_prometheus_expects(metrics: Metrics) -> None:
    histogram = metrics.histogram("some.time", "s", "Time", (0.1, 1.0))
    series = histogram.series({"kind": "a"})
    values = [0.05, 0.1, 0.10001, 1.0, 1.5, 100.0]
    for value in values:
        series.record(value)
    buckets = scraped(metrics, "some_time_seconds_bucket")
    assert buckets == {
        labels(kind="a", le="0.1"): 2.0,
        labels(kind="a", le="1.0"): 4.0,
        labels(kind="a", le="+Inf"): 6.0,
    }
    assert scraped(metrics, "some_time_seconds_count") == {labels(kind="a"): 6.0}
    total = scraped(metrics, "some_time_seconds_sum")[labels(kind="a")]
    assert math.isclose(total, sum(values))


def test_a_histogram_counts_as_the_sdk_does(metrics: Metrics) -> None:
    """Side by side with the instrument of OpenTelemetry that it stands for."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    theirs = provider.get_meter("x").create_histogram(
        "t", "s", explicit_bucket_boundaries_advisory=list(BUCKETS)
    )
    ours = metrics.histogram("t", "s", "", BUCKETS)
    series = ours.series({"a": "b"})
    rng = random.Random(7)
    for _ in range(2000):
        value = rng.choice((*BUCKETS, rng.expovariate(10), rng.uniform(0, 20)))
        theirs.record(value, {"a": "b"})
        series.record(value)
    data = reader.get_metrics_data()
    assert data is not None
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    (own,) = ours.metric().data.data_points
    assert isinstance(point, HistogramDataPoint)
    assert isinstance(own, HistogramDataPoint)
    assert tuple(own.bucket_counts) == tuple(point.bucket_counts)
    assert (own.count, own.explicit_bounds) == (point.count, tuple(point.explicit_bounds))
    assert math.isclose(own.sum, point.sum)
    assert own.attributes == point.attributes
    provider.shutdown()


def test_findings_patches_and_errors_are_counted(metrics: Metrics, telemetry: Telemetry) -> None:
    deny_and_warn = verdict(Action.DENY, Action.WARN)
    for found in (deny_and_warn, deny_and_warn, PATCHED, ALLOWED):
        telemetry.reviewed("mutate", asked(), found, time.perf_counter(), b"")
    failed = Verdict(deny_and_warn.findings, (), (ValueError("x"),))
    telemetry.reviewed("validate", asked(), failed, time.perf_counter(), b"")
    telemetry.refused("path", "no such path")
    telemetry.failed(ValueError("x"), "uid")
    telemetry.shed()
    assert scraped(metrics, "netreeve_admission_findings_total") == {
        labels(policy="deny-policy", action="Deny"): 3.0,
        labels(policy="warn-policy", action="Warn"): 3.0,
    }
    assert scraped(metrics, "netreeve_admission_patches_total") == {labels(webhook="mutate"): 1.0}
    assert scraped(metrics, "netreeve_admission_errors_total") == {
        labels(error="path"): 1.0,
        labels(error="internal"): 1.0,
        labels(error="policy"): 1.0,
    }
    assert scraped(metrics, "netreeve_admission_shed_total") == {labels(): 1.0}


def test_durations_tell_apart_what_is_known(metrics: Metrics, telemetry: Telemetry) -> None:
    telemetry.knows([("", "pods"), ("apps", "deployments"), ("", "pods/ephemeralcontainers")])
    resources = [
        {"group": "", "version": "v1", "resource": "pods"},
        {"group": "apps", "version": "v1", "resource": "deployments"},
        {"group": "metrics.k8s.io", "version": "v1", "resource": "pods"},
    ]
    for resource in resources:
        for _ in range(2):
            telemetry.reviewed(
                "validate", asked(resource=resource), ALLOWED, time.perf_counter(), b""
            )
    telemetry.reviewed(
        "validate", asked(subResource="ephemeralcontainers"), ALLOWED, time.perf_counter(), b""
    )
    telemetry.reviewed("validate", asked(operation="X"), ALLOWED, time.perf_counter(), b"")
    counts = scraped(metrics, "netreeve_admission_review_duration_seconds_count")
    common = {"webhook": "validate", "operation": "CREATE", "allowed": "true"}
    assert counts == {
        labels(**common, resource="pods"): 2.0,
        labels(**common, resource="deployments.apps"): 2.0,
        labels(**common, resource="other"): 2.0,
        labels(**common, resource="pods/ephemeralcontainers"): 1.0,
        labels(**common | {"operation": "other"}, resource="other"): 1.0,
    }


def test_a_duration_is_measured_from_the_start(metrics: Metrics, telemetry: Telemetry) -> None:
    telemetry.reviewed("validate", asked(), ALLOWED, time.perf_counter() - 3.0, b"")
    (seconds,) = scraped(metrics, "netreeve_admission_review_duration_seconds_sum").values()
    assert 3.0 <= seconds < 4.0


def test_configuration_and_certificate(metrics: Metrics, telemetry: Telemetry) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    assert scraped(metrics, "netreeve_certificate_expiry_seconds") == {}
    for ok in (True, False, True):
        telemetry.config_loaded(ok=ok, at=at if ok else at + timedelta(days=1))
    telemetry.certificate_loaded(ok=True, not_after=datetime.now(UTC) + timedelta(hours=1))
    telemetry.certificate_loaded(ok=False, not_after=None)
    assert scraped(metrics, "netreeve_config_reloads_total") == {
        labels(result="success"): 2.0,
        labels(result="failure"): 1.0,
    }
    assert scraped(metrics, "netreeve_config_generation") == {labels(): 2.0}
    assert scraped(metrics, "netreeve_config_last_success_timestamp_seconds") == {
        labels(): at.timestamp()
    }
    (seconds,) = scraped(metrics, "netreeve_certificate_expiry_seconds").values()
    assert 3590 < seconds <= 3600
    assert scraped(metrics, "netreeve_certificate_reloads_total") == {
        labels(result="success"): 1.0,
        labels(result="failure"): 1.0,
    }


@pytest.mark.usefixtures("telemetry")
def test_who_we_are_is_told_once(metrics: Metrics) -> None:
    ((found, value),) = scraped(metrics, "target_info").items()
    assert dict(found)["service_version"] == "1.2.3"
    assert value == 1.0


@pytest.mark.usefixtures("telemetry")
def test_what_the_process_uses_is_told(metrics: Metrics) -> None:
    (memory,) = scraped(metrics, "process_resident_memory_bytes").values()
    assert memory > 10_000_000
    assert scraped(metrics, "process_open_fds")
