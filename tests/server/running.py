"""A whole server on loopback TLS, in a thread of the test process, with limits of the test's own.

Owns the wiring that `webhook.server.assemble` does for the command; what that adds (options,
signals) is tested as a process of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from opentelemetry.sdk.resources import Resource

from tests.controlplane.wait import wait_for
from webhook.admission.cluster import Cluster
from webhook.admission.exempt import NO_KEYS
from webhook.admission.ruleset import Ruleset
from webhook.config import GateConfig, ruleset
from webhook.exemptions.stamp import KeyRing
from webhook.server.app import Access, Webhook
from webhook.server.health import Readiness, health
from webhook.server.limits import Limits
from webhook.server.listen import Address, bind, bound, parse
from webhook.server.listener import Listener
from webhook.server.protocol import Guard
from webhook.server.reload import make_gate
from webhook.server.run import Server
from webhook.server.standalone import make_certificates
from webhook.server.tls import CertificateHolder
from webhook.telemetry.lines import LineWriter
from webhook.telemetry.logs import Log
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.telemetry import Telemetry

ANY = parse("127.0.0.1:0")
TIMEOUT = 10.0
STANDARD = ruleset(GateConfig())


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Running:
    """A server that answers, and the parts of it that tests look at or turn."""

    directory: Path
    reviews: Address
    health: Address
    webhook: Webhook
    readiness: Readiness
    metrics: Metrics
    telemetry: Telemetry
    certificates: CertificateHolder
    listener: Listener
    server: Server
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    log_file: Path

    @property
    def ca(self) -> Path:
        return self.directory / "ca.crt"

    def stop(self) -> None:
        """As SIGTERM does."""
        self.loop.call_soon_threadsafe(self.server.stop)

    def log(self) -> list[dict[str, Any]]:
        """The lines written so far, decoded."""
        return [msgspec.json.decode(line) for line in self.log_file.read_bytes().splitlines()]

    def logged(self, **fields: Any) -> dict[str, Any]:
        """The line with these fields, once it is written. ``request_uid`` is ``request.uid``."""
        wanted = {name.replace("_", "."): value for name, value in fields.items()}
        return wait_for(
            lambda: next((line for line in self.log() if wanted.items() <= line.items()), {}),
            TIMEOUT,
            f"a log line with {wanted}",
        )


@contextmanager
def running(
    directory: Path,
    *,
    rules: Ruleset = STANDARD,
    cluster: Cluster | None = None,
    limits: Limits | None = None,
    access: Access | None = None,
    knows: Callable[[], bool] = lambda: True,
    keys: KeyRing = NO_KEYS,
    drain: float = 0.0,
    linger: float = 0.0,
) -> Iterator[Running]:
    """Serve until the block ends."""
    limits = limits or Limits()
    make_certificates(directory, ANY.host, now())
    log_file = directory / "log"
    with bind(ANY) as reviews, bind(ANY) as checks, log_file.open("wb") as log:
        writer, metrics, readiness = LineWriter(log), Metrics(Resource({})), Readiness()
        telemetry = Telemetry(metrics, Log(writer))
        certificates = CertificateHolder(directory, telemetry, now)
        certificates.load()
        under_way: set[asyncio.Task[None]] = set()
        guard = Guard(limits, telemetry)
        webhook = Webhook(
            make_gate(rules, cluster, telemetry, keys),
            telemetry,
            access=access,
            knows=knows,
            limits=limits,
            answering=guard.answering,
        )
        listener = Listener(webhook, guard, tls=certificates.listening(), under_way=under_way)
        plain = Listener(health(readiness, metrics.render), guard)
        loop = uvloop.new_event_loop()
        server = Server(webhook, listener, plain, readiness, drain=drain, linger=linger)
        thread = threading.Thread(
            target=loop.run_until_complete, args=(server.run(reviews, checks),)
        )
        made = Running(
            directory, bound(reviews), bound(checks), webhook, readiness, metrics, telemetry,
            certificates, listener, server, loop, thread, log_file,
        )  # fmt: skip
        thread.start()
        try:
            wait_for(lambda: listener.started and plain.started, TIMEOUT, "the server")
            yield made
        finally:
            loop.call_soon_threadsafe(server.stop)
            loop.call_soon_threadsafe(server.stop)
            thread.join(TIMEOUT)
            telemetry.close()
            writer.close()
            assert not thread.is_alive(), "the server does not end"
            loop.close()
