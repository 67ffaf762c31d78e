"""Whether this server would be believed: it sends itself what is known to be bad, over TLS.

Through its own listener, verified with the CA bundle that the configurations publish (``ca.crt``
beside its certificate) and by the name that the API server asks for. What fails here would fail
there. Needs no API server, and goes on for as long as the server runs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from webhook.probe import BusyError, NotProvenError, Peer, prove
from webhook.server.health import Readiness
from webhook.server.listen import Address
from webhook.server.tls import AUTHORITY
from webhook.telemetry.metrics import Metrics

FRESH_SECONDS = 10.0
RETRY_SECONDS = 1.0
MOST_FAILURES = 3
"""In a row, of one that has been proven: a moment of no time is no reason to leave the Service."""

log = logging.getLogger(__name__)


def itself(reviews: Address, service: tuple[str, str] | None) -> Peer:
    """As a client on this machine that knows us by the name that API servers ask for.

    service: namespace and name; None for a throw-away certificate.
    """
    host = {"::": "127.0.0.1", "0.0.0.0": "127.0.0.1"}.get(reviews.host, reviews.host)  # noqa: S104
    return Peer(host, reviews.port, f"{service[1]}.{service[0]}.svc" if service else "localhost")


class SelfProof:
    """directory: of the mounted certificate. missing: why there is no certificate yet, or ""."""

    def __init__(self, peer: Peer, directory: Path, missing: Callable[[], str]) -> None:
        self._peer = peer
        self._file = directory / AUTHORITY
        self._missing = missing
        self.last: float | None = None
        """When it was last proven, Unix time."""
        self._proven = False
        self._failures = 0
        self._reason = "not yet"

    @property
    def obstacle(self) -> str:
        """Why this server is not proven to deny, "" when it is."""
        return "" if self._proven else self._reason

    def observe(self, readiness: Readiness, metrics: Metrics) -> None:
        """Be ready only while proven, and tell since when."""
        readiness.require_none("proven", lambda: self.obstacle)
        metrics.gauge(
            "netreeve.proven.timestamp",
            "s",
            "Unix time at which the server last saw itself deny what is known to be bad",
            lambda: self.last,
        )

    async def run(self) -> NoReturn:
        """Prove it for ever."""
        while True:
            await self.attempt()
            going_well = self._proven and not self._failures
            await asyncio.sleep(FRESH_SECONDS if going_well else RETRY_SECONDS)

    async def attempt(self) -> None:
        """Once."""
        try:
            await self._prove()
        except BusyError:
            return
        except NotProvenError as error:
            self._failed(str(error))
        else:
            if not self._proven:
                log.info("proven: what is known to be bad is denied, over TLS as %s", self._peer)
            self._proven, self._failures, self._reason = True, 0, ""
            self.last = time.time()

    async def _prove(self) -> None:
        if missing := self._missing():
            raise NotProvenError(missing)
        try:
            bundle = self._file.read_bytes()
        except OSError as error:
            text = f"{self._file}: {error.strerror}. The CA bundle that clients trust is needed"
            raise NotProvenError(text) from error
        await prove(self._peer, bundle)

    def _failed(self, reason: str) -> None:
        self._failures += 1
        if reason != self._reason:
            log.error("not proven to deny what is known to be bad: %s", reason)
        self._reason = reason
        if self._failures >= MOST_FAILURES:
            self._proven = False
