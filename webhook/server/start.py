"""What every long-running process of ours starts with: listening sockets, log and metrics.

Every error that a person can cause at the start becomes a StartError that says what to do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import socket
import sys
from collections.abc import Iterator, Mapping

from opentelemetry.sdk.resources import Resource

from webhook.config import ConfigError, GateConfig
from webhook.config.reload import ConfigFile
from webhook.server.health import Readiness
from webhook.server.limits import Limits
from webhook.server.listen import Address, bind
from webhook.telemetry import spans
from webhook.telemetry.lines import LineWriter
from webhook.telemetry.logs import Handler, Log
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.telemetry import Telemetry
from webhook.version import installed

HEALTH_LIMITS = Limits(connections=128, idle=60.0)
"""Of the port for probes and scrapes."""


DESCRIPTORS_BESIDE = 256
"""For the health port, the API server, files, and some more."""


class StartError(Exception):
    """The process cannot start as it was asked to; the text says what to do."""


def configured(file: ConfigFile | None) -> GateConfig:
    """The configuration to start with; every default without a file. Raises StartError."""
    try:
        return file.read() if file else GateConfig()
    except ConfigError as error:
        raise StartError(str(error)) from error
    except OSError as error:
        raise StartError(f"{error.filename}: {reason(error)}") from error


def bearable_connections(wanted: int) -> int:
    """As many as wanted, or as descriptors can be had for; raises the soft limit where it is less.

    It is 1024 by default with systemd, and in containers (containerd 2). Without a descriptor
    left, no probe is answered and no certificate read.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + DESCRIPTORS_BESIDE
    if soft < needed:
        soft = min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, max(soft - DESCRIPTORS_BESIDE, soft // 2))


def reason(error: OSError) -> str:
    """Without what asyncio and socket add to it."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)


@contextlib.contextmanager
def listening(option: str, address: Address) -> Iterator[socket.socket]:
    """A socket that listens where an option says. Raises StartError."""
    try:
        found = bind(address)
    except OSError as error:
        raise StartError(
            f"cannot listen on {address}: {reason(error)}; name another address with {option}"
        ) from error
    with found:
        yield found


@contextlib.contextmanager
def recording(environ: Mapping[str, str]) -> Iterator[tuple[Metrics, Telemetry]]:
    """Lines go to standard error; spans to a collector, if the environment names one."""
    resource = Resource.create(
        {"service.name": "netreeve", "service.version": installed() or "unknown"}
    )
    exporter = None
    if spans.wanted(environ):
        # Loads protobuf and requests: 0.2 s and 10 MB that only tracing needs.
        from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415

        exporter = spans.Spans(resource, trace_exporter.OTLPSpanExporter())
    writer = LineWriter(sys.stderr.buffer)
    log, metrics = Log(writer), Metrics(resource)
    metrics.total(
        "netreeve.log.dropped", "Log lines that nobody took in time", lambda: writer.dropped
    )
    telemetry = Telemetry(metrics, log, exporter)
    try:
        with _logging_to(log):
            yield metrics, telemetry
    finally:
        telemetry.close()
        writer.close()


@contextlib.contextmanager
def _logging_to(log: Log) -> Iterator[None]:
    """What is logged through the logging module, by libraries and by us, becomes lines of ours."""
    root, handler = logging.getLogger(), Handler(log)
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it says what we say better
    try:
        yield
    finally:
        root.removeHandler(handler)


def observe_readiness(metrics: Metrics, readiness: Readiness) -> None:
    """netreeve_ready, for who cannot ask /readyz."""
    metrics.gauge(
        "netreeve.ready",
        "",
        "1 when this process is ready, as /readyz says",
        lambda: float(not readiness.missing()),
    )
