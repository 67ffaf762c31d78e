"""The facts of the cluster, followed: which objects, since when complete, and when they change.

Where facts are found and what they mean is for `policies.baseline` to say; this only watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from policies.baseline import dns, meshes
from policies.baseline.collect import Source, sources
from policies.baseline.config import BaselineConfig
from policies.baseline.facts import Facts, Kept, gather
from webhook.cluster.connection import Connection
from webhook.cluster.reflector import Reflector
from webhook.controller.views import ApiService, Known, keep_group


class FactsCache:
    """Use in one event loop.

    namespaces: of the controller's own cache. changed: called when the facts may have changed.
    """

    def __init__(
        self,
        connection: Connection,
        namespaces: Reflector[Known],
        config: BaselineConfig,
        changed: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._namespaces = namespaces
        self._changed = changed
        self._sources: dict[Source, Reflector[Kept]] = {}
        self._running: dict[Source, asyncio.Task[None]] = {}
        self._more = asyncio.Event()
        self._control_planes: frozenset[str] = frozenset()
        # Groups come and go with their APIService, which can be watched; discovery cannot.
        self._groups = Reflector(
            connection, "/apis/apiregistration.k8s.io/v1/apiservices", ApiService, keep_group
        )
        self._groups.subscribe(lambda keys: changed())
        namespaces.subscribe(self._namespaces_changed)
        self.follow(config)

    def follow(self, config: BaselineConfig) -> None:
        """From now on what this configuration asks for; what it does not is left alone."""
        wanted = sources(dns.namespaces(config.dns))
        for gone in self._sources.keys() - set(wanted):
            del self._sources[gone]
            if task := self._running.pop(gone, None):
                task.cancel()
        for one in wanted:
            if one not in self._sources:
                self._sources[one] = self._reflector(one)
        self._control_planes = meshes.control_planes(config.controlPlanes)
        self._more.set()

    @property
    def settled(self) -> bool:
        """Everything has been listed once, or RBAC keeps it from us."""
        return self._groups.settled and all(one.settled for one in self._sources.values())

    def facts(self) -> Facts:
        return gather(
            (kept for one in self._sources.values() for kept in one.items.values()),
            namespaces=self._control_planes & self._namespaces.items.keys(),
            groups=filter(None, self._groups.items.values()),
        )

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._groups.run())
            while True:
                self._more.clear()
                for source in self._sources.keys() - self._running.keys():
                    self._running[source] = group.create_task(self._sources[source].run())
                await self._more.wait()

    def _reflector(self, source: Source) -> Reflector[Kept]:
        made: Reflector[Kept] = Reflector(
            self._connection, source.path, source.view, source.keep, params=source.params
        )
        made.subscribe(lambda keys: self._changed())
        return made

    def _namespaces_changed(self, keys: Collection[str]) -> None:
        if not self._control_planes.isdisjoint(keys):
            self._changed()
