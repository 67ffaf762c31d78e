"""One span a review, for a collector that speaks OTLP over HTTP; nothing at all without one.

The collector and its credentials come from OpenTelemetry's own environment variables
(OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS ...), which the exporter reads.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

MOST_PER_SECOND = 100
"""Spans recorded in a second, 20 µs each. Our own budget decides what is recorded: the peer is
not authenticated, so the sampled flag it sends must not."""

LONGEST_VALUE = 512
"""Characters kept of an attribute."""

ENVIRONMENT = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_propagator = TraceContextTextMapPropagator()


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a collector."""
    disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(environ.get(name) for name in ENVIRONMENT)


class Spans:
    """Records finished reviews as spans and exports them in batches, on a thread."""

    def __init__(self, resource: Resource, exporter: SpanExporter) -> None:
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=resource,
            span_limits=SpanLimits(max_attribute_length=LONGEST_VALUE),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("netreeve")
        self._second, self._left = 0, 0

    def record(
        self,
        name: str,
        seconds: float,
        attributes: Mapping[str, str | bool],
        traceparent: bytes,
    ) -> str:
        """A span that ended now and took ``seconds``. Returns its trace id, "" when over budget."""
        end = time.time_ns()
        if not self._within_budget(end // 1_000_000_000):
            return ""
        span = self._tracer.start_span(
            name,
            context=_parent(traceparent),
            kind=SpanKind.SERVER,
            attributes=attributes,
            start_time=end - int(seconds * 1e9),
        )
        span.end(end)
        return f"{span.get_span_context().trace_id:032x}"

    def close(self) -> None:
        """Export what waits; the exporter's own timeout bounds it."""
        self._provider.shutdown()

    def _within_budget(self, second: int) -> bool:
        if second != self._second:
            self._second, self._left = second, MOST_PER_SECOND
        self._left -= 1
        return self._left >= 0


def _parent(traceparent: bytes) -> Context:
    """The caller's span where it says that it is recorded; else a trace of our own."""
    if not traceparent:
        return Context()
    carrier = {"traceparent": traceparent.decode("latin-1")}
    context = _propagator.extract(carrier, context=Context())
    sampled = get_current_span(context).get_span_context().trace_flags.sampled
    return context if sampled else Context()
