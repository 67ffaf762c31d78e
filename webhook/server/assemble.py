"""Builds the server from its options and runs it: which part gets which, and nothing else.

Every error that a person can cause at the start becomes a StartError that says what to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import uvloop
from opentelemetry.sdk.resources import Resource

from webhook.admission.plan import Ruleset
from webhook.cluster.cache import ClusterCache
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster, Kubeconfig
from webhook.cluster.errors import CredentialsError
from webhook.config import ConfigError, GateConfig, ruleset
from webhook.config.reload import ConfigFile
from webhook.server.app import Webhook
from webhook.server.health import Readiness, health
from webhook.server.limits import Limits
from webhook.server.listen import Address, bind, bound
from webhook.server.listener import Listener
from webhook.server.protocol import Guard
from webhook.server.reload import ConfigWatch, make_gate
from webhook.server.run import Pulse, Server, settle
from webhook.server.standalone import make_certificates
from webhook.server.tls import CertificateError, CertificateHolder
from webhook.telemetry import spans
from webhook.telemetry.lines import LineWriter
from webhook.telemetry.logs import Handler, Log
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.telemetry import Telemetry

HEALTH_LIMITS = Limits(connections=128, idle=60.0)


class StartError(Exception):
    """The server cannot start as it was asked to; the text says what to do."""


@dataclass(frozen=True)
class Options:
    """cert_dir: holds tls.crt and tls.key, or gets them with ``standalone``.

    config: None for the standard profile. kubeconfig: None for the service account of the pod.
    drain: seconds to go on serving after SIGTERM.
    """

    listen: Address
    health_listen: Address
    cert_dir: Path
    config: Path | None
    standalone: bool
    kubeconfig: str | None
    drain: float


@dataclass(frozen=True)
class _Parts:
    """What is there before the event loop runs."""

    telemetry: Telemetry
    metrics: Metrics
    rules: Ruleset
    file: ConfigFile | None
    certificates: CertificateHolder
    reviews: socket.socket
    checks: socket.socket


def serve(
    options: Options, environ: Mapping[str, str], announce: Callable[[Address, Address], None]
) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError.

    announce: called with the addresses for reviews and for health once both are listened on.
    """
    file = ConfigFile(options.config) if options.config else None
    rules = _ruleset(file)
    with contextlib.ExitStack() as stack:
        reviews = stack.enter_context(_bound("--listen", options.listen))
        checks = stack.enter_context(_bound("--health-listen", options.health_listen))
        metrics, telemetry = stack.enter_context(_telemetry(environ))
        telemetry.config_loaded(ok=True, at=_now())
        certificates = _certificates(options, telemetry, bound(reviews))
        parts = _Parts(telemetry, metrics, rules, file, certificates, reviews, checks)
        uvloop.run(_serve(options, parts, announce))


async def _serve(
    options: Options, parts: _Parts, announce: Callable[[Address, Address], None]
) -> None:
    telemetry, readiness = parts.telemetry, Readiness()
    async with _cluster(options) as cluster:
        under_way: set[asyncio.Task[None]] = set()
        webhook = Webhook(
            make_gate(parts.rules, cluster, telemetry),
            telemetry,
            cluster=cluster,
            under_way=under_way,
        )
        guard = Guard(Limits(), telemetry)
        server = Server(
            webhook,
            Listener(webhook, guard, tls=parts.certificates.listening(), under_way=under_way),
            Listener(health(readiness, parts.metrics.render), Guard(HEALTH_LIMITS, telemetry)),
            readiness,
            drain=options.drain,
        )
        pulse = Pulse()
        _watch_server(telemetry, under_way, guard, pulse)
        beside = [pulse.run(), parts.certificates.watch(), settle(lambda: not readiness.missing())]
        if parts.file:
            watch = ConfigWatch(parts.file, webhook, telemetry, cluster=cluster, now=_now)
            beside.append(watch.watch())
        if cluster:
            _watch_cluster(telemetry, cluster)
            readiness.require(
                "synced: the cluster's namespaces are unknown", lambda: cluster.synced
            )
            beside.append(cluster.run())
        server.stop_on_signals()
        announce(bound(parts.reviews), bound(parts.checks))
        await server.run(parts.reviews, parts.checks, beside)


def _now() -> datetime:
    return datetime.now(UTC)


def _ruleset(file: ConfigFile | None) -> Ruleset:
    try:
        return file.read() if file else ruleset(GateConfig())
    except ConfigError as error:
        raise StartError(str(error)) from error
    except OSError as error:
        raise StartError(f"{error.filename}: {error.strerror}") from error


@contextlib.contextmanager
def _bound(option: str, address: Address) -> Iterator[socket.socket]:
    try:
        found = bind(address)
    except OSError as error:
        raise StartError(
            f"cannot listen on {address}: {error.strerror}; name another address with {option}"
        ) from error
    with found:
        yield found


@contextlib.contextmanager
def _telemetry(environ: Mapping[str, str]) -> Iterator[tuple[Metrics, Telemetry]]:
    """Logs go to standard error from here on, those of libraries too."""
    resource = Resource.create({"service.name": "netreeve", "service.version": _version()})
    exporter = None
    if spans.wanted(environ):
        # Loads protobuf and requests: 0.2 s and 10 MB that only tracing needs.
        from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415

        exporter = spans.Spans(resource, trace_exporter.OTLPSpanExporter())
    writer = LineWriter(sys.stderr.buffer)
    log, metrics = Log(writer), Metrics(resource)
    logging.basicConfig(level=logging.INFO, handlers=[Handler(log)], force=True)
    telemetry = Telemetry(metrics, log, exporter)
    telemetry.watch(
        "netreeve.log.dropped", "", "Log lines that nobody took in time", lambda: writer.dropped
    )
    try:
        yield metrics, telemetry
    finally:
        telemetry.close()
        writer.close()


def _certificates(options: Options, telemetry: Telemetry, reviews: Address) -> CertificateHolder:
    holder = CertificateHolder(options.cert_dir, telemetry, _now)
    try:
        if options.standalone:
            make_certificates(options.cert_dir, reviews.host, _now())
        holder.load()
    except CertificateError as error:
        raise StartError(str(error)) from error
    except OSError as error:
        raise StartError(f"{error.filename}: {error.strerror}") from error
    return holder


@contextlib.asynccontextmanager
async def _cluster(options: Options) -> AsyncIterator[ClusterCache | None]:
    if options.standalone:
        yield None
        return
    source = Kubeconfig(options.kubeconfig) if options.kubeconfig else InCluster()
    try:
        await source.load()
    except CredentialsError as error:
        text = f"{error}; to try Netreeve without a cluster, add --standalone"
        raise StartError(text) from error
    async with Connection(source) as connection:
        yield ClusterCache(connection)


def _watch_server(
    telemetry: Telemetry, under_way: set[asyncio.Task[None]], guard: Guard, pulse: Pulse
) -> None:
    watch = telemetry.watch
    watch("netreeve.admission.in_flight", "", "Requests not yet answered", lambda: len(under_way))
    watch(
        "netreeve.connections.displaced",
        "",
        "Connections dropped or refused because there were too many",
        lambda: guard.displaced,
    )
    watch(
        "netreeve.event_loop.lag",
        "s",
        "Longest delay of the event loop since the last scrape",
        pulse.lag,
    )


def _watch_cluster(telemetry: Telemetry, cluster: ClusterCache) -> None:
    telemetry.watch(
        "netreeve.cluster.synced",
        "",
        "1 when namespaces and nodes are known",
        lambda: float(cluster.synced),
    )


def _version() -> str:
    try:
        return version("netreeve")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"
