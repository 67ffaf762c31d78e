"""The controller as a whole: what it follows always, and what it does while it leads.

Owns which namespaces are looked at again, and when. Built by the command line, which also hands
in connection, configuration and clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import datetime

from policies.baseline.config import BaselineConfig
from policies.baseline.objects import Environment, environment
from policies.network_policies.managed import BASELINE
from webhook.cluster.connection import Connection
from webhook.cluster.events import Events
from webhook.cluster.objects import CNI, CNI_REASON
from webhook.controller.cache import Cache
from webhook.controller.facts import FactsCache
from webhook.controller.queue import WorkQueue
from webhook.controller.reconcile import Reconciler
from webhook.controller.states import States
from webhook.controller.writer import Writer

WORKERS = 8
"""Namespaces written to at the same time; the API server's priority and fairness has the rest."""
SETTLE_SECONDS = 0.3
"""Facts change together: endpoints, their Service, nodes. What comes within this is one change."""

log = logging.getLogger(__name__)


class Controller:
    """Use in one event loop: `follow` always, `lead` while leading.

    identity: of this process, for events. record: told how long the coverage of a namespace took.
    """

    def __init__(
        self,
        connection: Connection,
        config: BaselineConfig,
        *,
        identity: str,
        now: Callable[[], datetime],
        record: Callable[[float], None],
    ) -> None:
        self.queue = WorkQueue()
        self.states = States(record, now)
        self.cache = Cache(connection, self._touched)
        self.writer = Writer(connection)
        self._config = config
        self._changed = asyncio.Event()
        self._changed.set()
        self._facts = FactsCache(connection, self.cache.namespaces, config, self._changed.set)
        self._reconciler = Reconciler(
            self.cache,
            self.writer,
            Events(connection, identity),
            queue=self.queue,
            states=self.states,
            now=now,
        )
        self._known = asyncio.Event()
        self._leading = False

    def configure(self, config: BaselineConfig) -> None:
        """What holds from now on."""
        self._config = config
        self._facts.follow(config)
        self._changed.set()

    @property
    def synced(self) -> bool:
        """Everything that decides has been listed once. Stays true, but for new sources."""
        return self.cache.synced and self._facts.settled

    def conclusions(self) -> dict[str, str]:
        """Annotations that tell the gate what is known here; none while nothing is."""
        known = self._reconciler.environment
        return {CNI: known.cni.state, CNI_REASON: known.cni.reason} if known else {}

    async def follow(self) -> None:
        """Keep the copies up to date until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.cache.run())
            group.create_task(self._facts.run())
            group.create_task(self._conclude())

    async def lead(self) -> None:
        """Look at every namespace, and from then on at those that something happens in."""
        await self._known.wait()
        self._leading = True
        try:
            self._touched(self.cache.namespaces.items.keys(), patient=True)
            await self.queue.run(self._reconciler.reconcile, WORKERS)
        finally:
            self._leading = False
            self.queue.clear()
            self.states.clear()

    def _touched(self, namespaces: Collection[str], *, patient: bool = False) -> None:
        if self._leading:
            for name in namespaces:
                self.queue.add(name, patient=patient)

    async def _conclude(self) -> None:
        """Draw the conclusions from the facts anew, whenever they or the configuration change."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            if not self.synced:
                continue
            self._changed.clear()
            found = environment(self._config, self._facts.facts())
            if found != self._reconciler.environment:
                self._set(found)

    def _set(self, found: Environment) -> None:
        """Of other namespaces none is concerned, unless nothing may be held back any more.

        What is new must not wait until all that is covered has been looked at.
        """
        before, self._reconciler.environment = self._reconciler.environment, found
        for problem in found.dns.problems:
            log.warning("%s: %s", problem.reason, problem.message)
        log.info("NetworkPolicies: %s: %s", found.cni.state, found.cni.reason)
        self._known.set()
        everything = before is None or before.config != found.config
        self._touched(
            [
                name
                for name, known in self.cache.namespaces.items.items()
                if everything or BASELINE in known.namespace.labels
            ],
            patient=True,
        )
