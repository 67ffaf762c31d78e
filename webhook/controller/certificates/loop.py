"""The loop of certificates and webhook configurations: look at everything, do what is due.

Level-triggered and safe to repeat, to interrupt anywhere and to run twice: every write names the
version of what it was decided on. Whatever happens wakes it; so does time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from certs.plan import Lives, carry
from webhook.cluster.connection import Connection
from webhook.cluster.errors import ConflictError
from webhook.cluster.events import Event, Events, Reference
from webhook.controller.certificates.configurations import Configurations
from webhook.controller.certificates.secrets import STAMP, Secrets, next_stamp
from webhook.controller.certificates.servers import Seen, Servers
from webhook.controller.certificates.sources import Found, Given, Live, Managed, Source, published
from webhook.controller.queue import WorkQueue

LOOK_SECONDS = 10.0
SOON_SECONDS = 1.0
OVERLAP_SECONDS = 60.0
"""How long an API server may take to hear of a changed configuration."""
_KEY = "certificates"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """webhooks: folder of the wanted configurations. service: namespace and name.

    bundle: the file with the CA bundle, for the source ``files``. overlap: seconds for which the
    configurations have to carry a CA before it signs. look: seconds between two looks at what
    tells nothing by itself: the time, and the servers.
    """

    webhooks: Path
    service: tuple[str, str]
    source: Source = Source.MANAGED
    bundle: Path | None = None
    overlap: float = OVERLAP_SECONDS
    look: float = LOOK_SECONDS
    lives: Lives = field(default_factory=Lives)


class Report(NamedTuple):
    """What the last look has found, for metrics. matches: by resource."""

    found: Found = Found()
    seen: Seen = Seen()
    matches: Mapping[str, bool] = {}


def names(service: tuple[str, str]) -> tuple[str, ...]:
    """Those by which a Service is reached; API servers ask for the first."""
    namespace, name = service
    short = f"{name}.{namespace}"
    return (f"{short}.svc", f"{short}.svc.cluster.local", short, name)


class Certificates:
    """Use in one event loop: `follow` always, `lead` while leading."""

    def __init__(
        self,
        connection: Connection,
        settings: Settings,
        events: Events,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.report = Report()
        self.configurations = Configurations(connection, settings.webhooks, events, self._touched)
        self._settings = settings
        self._events = events
        self._clock = clock
        self._queue = WorkQueue()
        self._carried: dict[str, float] = {}
        self._leading = False
        self._told = ""
        namespace, _ = settings.service
        self._secrets = Secrets(connection, namespace, self._touched)
        self._servers = Servers(connection, settings.service, self._touched)
        self._source: Managed | Given = Given(
            self._secrets, settings.bundle if settings.source is Source.FILES else None
        )
        if settings.source is Source.MANAGED:
            self._source = Managed(
                self._secrets, events, namespace, names(settings.service), now, settings.lives
            )

    async def follow(self) -> None:
        """Keep the copies up to date until cancelled."""
        async with asyncio.TaskGroup() as group:
            for one in (self._secrets, self._servers, self.configurations):
                group.create_task(one.run())

    async def lead(self) -> None:
        """Do what is due, until cancelled."""
        self._leading, self._carried = True, {}
        try:
            self._queue.add(_KEY)
            await self._queue.run(self._look, 1)
        finally:
            self._leading = False
            self._queue.clear()
            self.report = Report()

    def _touched(self) -> None:
        if self._leading:
            self._queue.add(_KEY)

    async def _look(self, key: str) -> None:
        followed = (self._secrets, self._servers, self.configurations)
        pause = SOON_SECONDS
        if all(one.synced for one in followed):
            try:
                await self._stamp()
                if await self._certify():
                    pause = self._settings.look
            except ConflictError as error:  # the watch has more to say than what was decided on
                log.info("certificates: %s; looking again", error)
        self._queue.add_later(_KEY, pause)

    async def _stamp(self) -> None:
        data = next_stamp(self._secrets.get(STAMP))
        if data is None:
            return
        await self._secrets.write(STAMP, data)
        note = "a new key stamps exemptions"
        log.info("certificates: %s", note)
        about = Reference("v1", "Secret", STAMP, self._settings.service[0])
        await self._events.tell(Event(about, "StampKeyMade", note, "RotateStampKey"))

    async def _certify(self) -> bool:
        """Whether everything is as it should be, and nothing is under way."""
        seen = await self._servers.look()
        live = self._live()
        await self._source.advance(seen, live)
        found = self._source.find()
        if not found.bundle:
            return False
        bundle = published(found.bundle, live.bundles, list(seen.leaves.values()))
        obstacle = await self.configurations.fill(bundle, self._servers.prove)
        self.report = Report(found, seen, self.configurations.matches(bundle))
        await self._tell(obstacle)
        return not obstacle and not found.is_under_way(seen)

    def _live(self) -> Live:
        """Carried is what all configurations have carried for long enough."""
        bundles, at = self.configurations.bundles, self._clock()
        self._carried = carry(self._carried, bundles, at)
        if not bundles:
            return Live((), None)
        overlap = self._settings.overlap
        known = (one for one, since in self._carried.items() if at - since >= overlap)
        return Live(bundles, frozenset(known))

    async def _tell(self, obstacle: str) -> None:
        """Whenever it changes."""
        if obstacle and obstacle != self._told:
            note = f"not active before a server denies what is known to be bad: {obstacle}"
            log.warning("the webhook configurations are %s", note)
            namespace, name = self._settings.service
            about = Reference("v1", "Service", name, namespace)
            event = Event(about, "WebhooksNotProven", note, "FillWebhooks", warning=True)
            await self._events.tell(event)
        self._told = obstacle
