"""Builds the controller from its options and runs it until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import uvloop

from webhook.audit.background.loop import Background
from webhook.cli.wiring.background import observe_audit, plan
from webhook.cli.wiring.certificates import observe_certificates
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster, Kubeconfig
from webhook.cluster.election import Election
from webhook.cluster.errors import CredentialsError
from webhook.cluster.events import Events
from webhook.config import ConfigError, GateConfig
from webhook.config.reload import ConfigFile
from webhook.controller.certificates.loop import Certificates, Settings
from webhook.controller.run import Controller
from webhook.server.health import Readiness, health
from webhook.server.listen import Address, bound
from webhook.server.listener import Listener
from webhook.server.protocol import Guard
from webhook.server.reload import POLL_SECONDS
from webhook.server.run import settle
from webhook.server.start import (
    HEALTH_LIMITS,
    StartError,
    listening,
    observe_readiness,
    recording,
)
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.telemetry import Telemetry

USER_AGENT = "netreeve-control"
COVERAGE_SECONDS = (0.5, 1, 2, 3, 5, 10, 30, 60, 300)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """config: None for the default baseline. kubeconfig: None for the pod's service account.

    lease: namespace and name. certificates: None to leave them, and the configurations, alone.
    """

    health_listen: Address
    config: Path | None
    kubeconfig: str | None
    lease: tuple[str, str]
    certificates: Settings | None = None


def control(
    options: Options, environ: Mapping[str, str], announce: Callable[[Address], None]
) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError.

    announce: called with the address for health once it is listened on.
    """
    file = ConfigFile(options.config) if options.config else None
    config = _read(file)
    with contextlib.ExitStack() as stack:
        checks = stack.enter_context(listening("--health-listen", options.health_listen))
        metrics, telemetry = stack.enter_context(recording(environ))
        telemetry.config_loaded(ok=True, at=_now())
        announce(bound(checks))
        uvloop.run(_Process(options, metrics, telemetry, file).run(config, checks))


class _Process:
    """What runs side by side, and how it ends: first the lead, then what it needs, then health."""

    def __init__(
        self, options: Options, metrics: Metrics, telemetry: Telemetry, file: ConfigFile | None
    ) -> None:
        self._options = options
        self._metrics = metrics
        self._telemetry = telemetry
        self._file = file

    async def run(self, config: GateConfig, checks: socket.socket) -> None:
        stopping = asyncio.Event()
        for one in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(one, stopping.set)
        async with Connection(await self._source(), user_agent=USER_AGENT) as connection:
            identity = socket.gethostname()[:128]
            controller = Controller(
                connection, config.baseline, identity=identity, now=_now, record=self._coverage()
            )
            audit = Background(connection, self._options.lease, _now)
            audit.configure(plan(config))
            observe_audit(self._metrics, audit)
            certificates = self._certificates(connection, identity)
            election = Election(
                connection,
                *self._options.lease,
                identity,
                annotations=controller.conclusions,
            )
            readiness = Readiness()
            readiness.require("synced: the cluster is unknown", lambda: controller.synced)
            readiness.require("serving: shutting down", lambda: not stopping.is_set())
            observe_readiness(self._metrics, readiness)
            self._observe(controller, election)
            app = health(readiness, self._metrics.render)
            listener = Listener(app, Guard(HEALTH_LIMITS, self._telemetry))
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(listener.serve([checks]))
                work = [controller.lead, audit.lead]
                if certificates:
                    work.append(certificates.lead)
                leading = group.create_task(election.run(lambda: _together(*work)))
                beside = [
                    group.create_task(controller.follow()),
                    group.create_task(settle(lambda: controller.synced)),
                    group.create_task(self._watch_config(controller, audit)),
                ]
                if certificates:
                    beside.append(group.create_task(certificates.follow()))
                await stopping.wait()
                leading.cancel()
                await asyncio.wait((leading,))
                for task in beside:
                    task.cancel()
                listener.should_exit = True
                await serving

    async def _source(self) -> InCluster | Kubeconfig:
        name = self._options.kubeconfig
        source = Kubeconfig(name) if name else InCluster()
        try:
            await source.load()
        except CredentialsError as error:
            raise StartError(str(error)) from error
        return source

    def _certificates(self, connection: Connection, identity: str) -> Certificates | None:
        settings = self._options.certificates
        if settings is None:
            return None
        found = Certificates(connection, settings, Events(connection, identity), now=_now)
        observe_certificates(self._metrics, found)
        return found

    def _coverage(self) -> Callable[[float], None]:
        histogram = self._metrics.histogram(
            "netreeve.namespace.coverage.duration",
            "s",
            "From the creation of a namespace until its baseline was observed",
            COVERAGE_SECONDS,
        )
        return histogram.series({}).record

    def _observe(self, controller: Controller, election: Election) -> None:
        metrics = self._metrics
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

    async def _watch_config(self, controller: Controller, audit: Background) -> NoReturn:
        """Take a changed configuration up; one that cannot be used is told once."""
        file, told = self._file, None
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if file is None:
                continue
            config = file.poll_config()
            if config is not None:
                controller.configure(config.baseline)
                audit.configure(plan(config))
                self._telemetry.config_loaded(ok=True, at=_now())
                log.info("the configuration %s has changed and is in force", file.path)
            elif file.error is not None and file.error is not told:
                self._telemetry.config_loaded(ok=False, at=_now())
                log.error("the configuration in force is kept: %s", file.error)
            told = file.error


async def _together(*work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(one())


def _now() -> datetime:
    return datetime.now(UTC)


def _read(file: ConfigFile | None) -> GateConfig:
    if file is None:
        return GateConfig()
    try:
        return file.read_config()
    except ConfigError as error:
        raise StartError(str(error)) from error
    except OSError as error:
        raise StartError(f"{error.filename}: {error.strerror}") from error
