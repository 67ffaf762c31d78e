"""Builds the controller from its options and runs it until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from webhook.audit.background.loop import Background
from webhook.cli.wiring.background import observe_audit, plan
from webhook.cli.wiring.certificates import observe_certificates
from webhook.cli.wiring.controller import observe_controller, record_coverage
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster, Kubeconfig
from webhook.cluster.election import Election
from webhook.cluster.errors import CredentialsError
from webhook.cluster.events import Events
from webhook.config import GateConfig
from webhook.config.reload import ConfigFile
from webhook.controller.certificates.loop import Certificates, Settings
from webhook.controller.run import Controller
from webhook.server.health import Readiness, health
from webhook.server.listen import Address, bound
from webhook.server.listener import Listener
from webhook.server.protocol import Guard
from webhook.server.reload import ConfigWatch
from webhook.server.run import settle
from webhook.server.start import (
    HEALTH_LIMITS,
    StartError,
    configured,
    listening,
    observe_readiness,
    recording,
)
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.telemetry import Telemetry

USER_AGENT = "netreeve-control"


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
    config = configured(file)
    with contextlib.ExitStack() as stack:
        checks = stack.enter_context(listening("--health-listen", options.health_listen))
        metrics, telemetry = stack.enter_context(recording(environ))
        telemetry.config_loaded(ok=True, at=_now())
        announce(bound(checks))
        uvloop.run(_Process(options, metrics, telemetry, file).run(config, checks))


class _Parts(NamedTuple):
    """What the process consists of; certificates: None where it leaves them alone."""

    controller: Controller
    audit: Background
    certificates: Certificates | None
    election: Election

    async def lead(self) -> None:
        """Everything that only one process may do."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.controller.lead())
            group.create_task(self.audit.lead())
            if self.certificates:
                group.create_task(self.certificates.lead())


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
            parts = self._parts(connection, config)
            listener = self._health(parts, stopping)
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(listener.serve([checks]))
                leading = group.create_task(parts.election.run(parts.lead))
                beside = [group.create_task(one) for one in self._beside(parts)]
                await stopping.wait()
                leading.cancel()
                await asyncio.wait((leading,))
                for task in beside:
                    task.cancel()
                listener.should_exit = True
                await serving

    def _parts(self, connection: Connection, config: GateConfig) -> _Parts:
        identity = socket.gethostname()[:128]
        recorded = record_coverage(self._metrics)
        controller = Controller(
            connection, config.baseline, identity=identity, now=_now, record=recorded
        )
        audit = Background(connection, self._options.lease, _now)
        audit.configure(plan(config))
        observe_audit(self._metrics, audit)
        certificates = self._certificates(connection, identity)
        lease = self._options.lease
        election = Election(connection, *lease, identity, annotations=controller.conclusions)
        observe_controller(self._metrics, controller, election)
        return _Parts(controller, audit, certificates, election)

    def _health(self, parts: _Parts, stopping: asyncio.Event) -> Listener:
        readiness = Readiness()
        readiness.require("synced: the cluster is unknown", lambda: parts.controller.synced)
        readiness.require("serving: shutting down", lambda: not stopping.is_set())
        observe_readiness(self._metrics, readiness)
        app = health(readiness, self._metrics.render)
        return Listener(app, Guard(HEALTH_LIMITS, self._telemetry))

    def _beside(self, parts: _Parts) -> Iterator[Coroutine[Any, Any, None]]:
        """What runs whether or not this process leads."""
        yield parts.controller.follow()
        yield settle(lambda: parts.controller.synced)
        yield from self._take_configuration(parts)
        if parts.certificates:
            yield parts.certificates.follow()

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

    def _take_configuration(self, parts: _Parts) -> Iterator[Coroutine[Any, Any, None]]:
        def take(config: GateConfig) -> None:
            parts.controller.configure(config.baseline)
            parts.audit.configure(plan(config))

        if self._file:
            watch = ConfigWatch(self._file, take, self._telemetry, now=_now)
            watch.observe(self._metrics)
            yield watch.watch()


def _now() -> datetime:
    return datetime.now(UTC)
