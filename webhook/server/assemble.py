"""Builds the server from its options and runs it: which part gets which, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import uvloop

from webhook.admission.ruleset import Ruleset
from webhook.config import GateConfig, ruleset
from webhook.config.reload import ConfigFile
from webhook.exemptions.stamp import KeyRing
from webhook.server.app import Webhook
from webhook.server.following import observe_following
from webhook.server.health import Readiness, health
from webhook.server.limits import Limits
from webhook.server.listen import Address, bound
from webhook.server.listener import Listener
from webhook.server.protocol import Guard
from webhook.server.reload import ConfigWatch, make_gate
from webhook.server.run import Pulse, Server, settle
from webhook.server.selfproof import SelfProof, itself
from webhook.server.stampkeys import StampKeys
from webhook.server.standalone import make_certificates
from webhook.server.start import (
    HEALTH_LIMITS,
    StartError,
    bearable_connections,
    configured,
    listening,
    observe_readiness,
    reason,
    recording,
)
from webhook.server.tls import CertificateError, CertificateHolder
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from webhook.cluster.access import Access
    from webhook.cluster.cache import ClusterCache

Endless = Coroutine[Any, Any, None]
"""What runs beside the listeners, until they end."""


@dataclass(frozen=True)
class Options:
    """What `netreeve serve` is asked for.

    cert_dir: holds tls.crt, tls.key and ca.crt, now or later, or gets them with ``standalone``.

    config: None for the standard profile. kubeconfig: None for the service account of the pod.
    lease: namespace and name of the controller's. service: of that by which API servers reach us.
    drain: seconds to go on serving after SIGTERM. linger: to leave connections open after that.
    stamp_keys: directory of the keys of exemption stamps; without it nothing can be exempt by
    annotation.
    """

    listen: Address
    health_listen: Address
    cert_dir: Path
    config: Path | None
    standalone: bool
    kubeconfig: str | None
    lease: tuple[str, str]
    service: tuple[str, str]
    drain: float
    linger: float
    stamp_keys: Path | None = None


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
    rules = ruleset(configured(file))
    with contextlib.ExitStack() as stack:
        reviews = stack.enter_context(listening("--listen", options.listen))
        checks = stack.enter_context(listening("--health-listen", options.health_listen))
        metrics, telemetry = stack.enter_context(recording(environ))
        telemetry.config_loaded(ok=True, at=_now())
        certificates = _certificates(options, telemetry, bound(reviews))
        parts = _Parts(telemetry, metrics, rules, file, certificates, reviews, checks)
        uvloop.run(_serve(options, parts, announce))


class _Cluster(NamedTuple):
    """What the server knows of the cluster, and whom it asks; neither with ``standalone``."""

    cache: ClusterCache | None = None
    access: Access | None = None


async def _serve(
    options: Options, parts: _Parts, announce: Callable[[Address, Address], None]
) -> None:
    readiness, pulse, ring = Readiness(), Pulse(), KeyRing()
    under_way: set[asyncio.Task[None]] = set()
    limits = Limits(connections=bearable_connections(Limits.connections))
    guard = Guard(limits, parts.telemetry)
    async with _cluster(options) as known:
        webhook = _webhook(parts, known, guard, ring)
        server = Server(
            webhook,
            Listener(webhook, guard, tls=parts.certificates.listening(), under_way=under_way),
            _checks(parts, readiness),
            readiness,
            drain=options.drain,
            linger=options.linger,
        )
        _observe(parts.metrics, under_way, guard, pulse)
        observe_readiness(parts.metrics, readiness)
        beside = [
            pulse.run(),
            parts.certificates.watch(),
            settle(lambda: not readiness.missing()),
            _prove(options, parts, readiness),
            *_take_keys(options, ring, readiness),
            *_take_configuration(parts, webhook, known, ring),
            *_follow(parts.metrics, known, readiness),
        ]
        server.stop_on_signals()
        announce(bound(parts.reviews), bound(parts.checks))
        await server.run(parts.reviews, parts.checks, beside)


def _checks(parts: _Parts, readiness: Readiness) -> Listener:
    app = health(readiness, parts.metrics.render)
    return Listener(app, Guard(HEALTH_LIMITS, parts.telemetry))


def _webhook(parts: _Parts, known: _Cluster, guard: Guard, ring: KeyRing) -> Webhook:
    cluster = known.cache
    return Webhook(
        make_gate(parts.rules, cluster, parts.telemetry, ring),
        parts.telemetry,
        access=known.access,
        knows=lambda: cluster is None or cluster.synced,
        answering=guard.answering,
    )


def _prove(options: Options, parts: _Parts, readiness: Readiness) -> Endless:
    """Ready is who sees itself deny."""
    proof = SelfProof(
        itself(bound(parts.reviews), None if options.standalone else options.service),
        options.cert_dir,
        lambda: parts.certificates.missing,
    )
    proof.observe(readiness, parts.metrics)
    return proof.run()


def _take_keys(options: Options, ring: KeyRing, readiness: Readiness) -> Iterator[Endless]:
    if options.stamp_keys:
        keys = StampKeys(options.stamp_keys, ring)
        readiness.require_none("stamp keys", lambda: keys.missing)
        yield keys.watch()


def _take_configuration(
    parts: _Parts, webhook: Webhook, known: _Cluster, ring: KeyRing
) -> Iterator[Endless]:
    def take(config: GateConfig) -> None:
        webhook.set_gate(make_gate(ruleset(config), known.cache, parts.telemetry, ring))

    if parts.file:
        watch = ConfigWatch(parts.file, take, parts.telemetry, now=_now)
        watch.observe(parts.metrics)
        yield watch.watch()


def _follow(metrics: Metrics, known: _Cluster, readiness: Readiness) -> Iterator[Endless]:
    cluster, access = known
    if cluster and access:
        _observe_cluster(metrics, cluster, access)
        readiness.require("synced: the cluster's namespaces are unknown", lambda: cluster.synced)
        yield cluster.run()


def _now() -> datetime:
    return datetime.now(UTC)


def _certificates(options: Options, telemetry: Telemetry, reviews: Address) -> CertificateHolder:
    holder = CertificateHolder(options.cert_dir, telemetry, _now)
    if not options.standalone:
        holder.poll()  # a Secret may be mounted before it is written
        return holder
    try:
        make_certificates(options.cert_dir, reviews.host, _now())
        holder.load()
    except CertificateError as error:
        raise StartError(str(error)) from error
    except OSError as error:
        raise StartError(f"{error.filename}: {reason(error)}") from error
    return holder


@contextlib.asynccontextmanager
async def _cluster(options: Options) -> AsyncIterator[_Cluster]:
    if options.standalone:
        yield _Cluster()
        return
    # The Kubernetes client takes a second to load and 40 MB, which standalone does without.
    from webhook.cluster.access import Access  # noqa: PLC0415
    from webhook.cluster.cache import ClusterCache  # noqa: PLC0415
    from webhook.cluster.connection import Connection  # noqa: PLC0415
    from webhook.cluster.credentials import InCluster, Kubeconfig  # noqa: PLC0415
    from webhook.cluster.errors import CredentialsError  # noqa: PLC0415

    source = Kubeconfig(options.kubeconfig) if options.kubeconfig else InCluster()
    try:
        await source.load()
    except CredentialsError as error:
        text = f"{error}; to try Netreeve without a cluster, add --standalone"
        raise StartError(text) from error
    async with Connection(source) as connection:
        yield _Cluster(ClusterCache(connection, options.lease), Access(connection))


def _observe(
    metrics: Metrics, under_way: set[asyncio.Task[None]], guard: Guard, pulse: Pulse
) -> None:
    metrics.gauge(
        "netreeve.admission.in_flight", "", "Requests not yet answered", lambda: len(under_way)
    )
    metrics.gauge(
        "netreeve.event_loop.lag",
        "s",
        "Longest delay of the event loop since the last scrape",
        pulse.lag,
    )
    metrics.total(
        "netreeve.connections.displaced",
        "Connections dropped or refused because there were too many",
        lambda: guard.displaced,
    )


def _observe_cluster(metrics: Metrics, cluster: ClusterCache, access: Access) -> None:
    observe_following(metrics, cluster)
    metrics.total(
        "netreeve.access.asked",
        "Rights of requesters that the API server was asked about",
        lambda: access.asked,
    )
    metrics.total(
        "netreeve.access.unanswered",
        "Rights of requesters that could not be known in time",
        lambda: access.unanswered,
    )
