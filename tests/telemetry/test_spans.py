"""Spans, as a collector receives them over HTTP."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource

from policies.model import Action
from tests.telemetry.collector import Collector, collecting
from tests.telemetry.given import UID, asked, verdict
from webhook.admission.verdict import ALLOWED
from webhook.telemetry.lines import LineWriter
from webhook.telemetry.logs import Log
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.spans import LONGEST_VALUE, MOST_PER_SECOND, Spans, wanted
from webhook.telemetry.telemetry import Telemetry

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{PARENT}-01".encode()
UNSAMPLED = f"00-{TRACE}-{PARENT}-00".encode()
RESOURCE = Resource({"service.name": "netreeve"})


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


def exported(collector: Collector, use: Callable[[Spans], object]) -> list[Span]:
    spans = Spans(RESOURCE, OTLPSpanExporter(endpoint=f"{collector.endpoint}/v1/traces"))
    use(spans)
    spans.close()
    return collector.spans


def test_a_review_is_one_span_joined_by_uid_to_its_log_line(collector: Collector) -> None:
    file = io.BytesIO()
    writer, metrics = LineWriter(file), Metrics(RESOURCE)

    def use(spans: Spans) -> None:
        telemetry = Telemetry(metrics, Log(writer), spans)
        start = time.perf_counter() - 0.25
        telemetry.reviewed("validate", asked(), verdict(Action.DENY), start, SAMPLED)

    (span,) = exported(collector, use)
    writer.close()
    metrics.close()
    attributes = {
        one.key: one.value.string_value or one.value.bool_value for one in span.attributes
    }
    assert span.name == "review validate"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert attributes == {
        "review.webhook": "validate",
        "review.allowed": False,
        "request.uid": UID,
        "request.operation": "CREATE",
        "request.resource": "v1/pods",
        "request.namespace": "dev",
        "request.name": "shop",
        "request.user": "jane",
    }
    assert 0.25 <= (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9 < 1.0
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    line = json.loads(file.getvalue())
    assert (line["traceId"], line["request.uid"]) == (TRACE, UID)


@pytest.mark.parametrize("traceparent", [b"", UNSAMPLED, b"garbage", b"\xff" * 50, b"00-0-0-01"])
def test_without_a_recorded_parent_it_is_a_trace_of_its_own(
    collector: Collector, traceparent: bytes
) -> None:
    (span,) = exported(collector, lambda spans: _record(spans, traceparent))
    assert span.trace_id.hex() != TRACE
    assert not span.parent_span_id


def _record(spans: Spans, traceparent: bytes = b"", name: str = "shop") -> str:
    return spans.record("review", 0.0, {"request.name": name}, traceparent)


def test_a_peer_cannot_make_us_record_more(collector: Collector) -> None:
    started = time.time()
    found = exported(
        collector,
        lambda spans: [_record(spans, SAMPLED) for _ in range(20 * MOST_PER_SECOND)],
    )
    seconds = int(time.time()) - int(started) + 1
    assert MOST_PER_SECOND <= len(found) <= seconds * MOST_PER_SECOND


def test_over_budget_there_is_no_trace_id() -> None:
    spans = Spans(RESOURCE, OTLPSpanExporter(endpoint="http://127.0.0.1:9/"))
    ids = [_record(spans) for _ in range(20 * MOST_PER_SECOND)]
    assert "" in ids
    assert all(len(trace) in (0, 32) for trace in ids)


def test_long_values_are_cut(collector: Collector) -> None:
    (span,) = exported(collector, lambda spans: _record(spans, name="n" * 1_000_000))
    (attribute,) = span.attributes
    assert len(attribute.value.string_value) == LONGEST_VALUE


def test_an_allowed_review_is_a_span_too(collector: Collector) -> None:
    writer, metrics = LineWriter(io.BytesIO()), Metrics(RESOURCE)

    def use(spans: Spans) -> None:
        Telemetry(metrics, Log(writer), spans).reviewed(
            "mutate", asked(), ALLOWED, time.perf_counter(), b""
        )

    assert len(exported(collector, use)) == 1
    writer.close()
    metrics.close()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_environment_decides(environ: dict[str, str], expected: bool) -> None:
    assert wanted(environ) is expected
