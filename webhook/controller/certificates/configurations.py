"""The webhook configurations as they are: followed, filled and repaired, never created.

Helm or kubectl owns the objects, and deletes them first; what is in them is ours, by a field
manager of our own. Decides nothing about certificates.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import msgspec

from webhook.cluster.apply import Writer, path
from webhook.cluster.connection import Connection
from webhook.cluster.events import Event, Events, Reference
from webhook.cluster.objects import Object
from webhook.cluster.reflector import Reflector
from webhook.controller.certificates.wanted import (
    API_VERSION,
    RESOURCES,
    Wanted,
    WantedError,
    bundles,
    filled,
    is_filled,
    loosens,
    read,
    tightens,
)

MANAGER = "netreeve-webhooks"
POLL_SECONDS = 2.0
"""Two small files; the kubelet itself takes up to a minute to write a changed ConfigMap."""
Proof = Callable[[bytes], Awaitable[str]]
"""Has a server prove itself with a CA bundle; why it did not, "" when it did."""
ENDED = (
    "nothing is denied any more: the stage was enforce, and what was installed since has another"
)
log = logging.getLogger(__name__)


class Stored(Object):
    webhooks: list[dict[str, Any]] | None = None


class Live(NamedTuple):
    """A configuration as it was last seen."""

    uid: str
    version: str
    webhooks: Sequence[Mapping[str, Any]]


class Configurations:
    """folder: of what is wanted. touched: called after every change of what is live."""

    def __init__(
        self, connection: Connection, folder: Path, events: Events, touched: Callable[[], None]
    ) -> None:
        self.complaint = ""
        """Why the folder cannot be used, "" when it can."""
        self._connection = connection
        self._writer = Writer(connection, manager=MANAGER)
        self._folder = folder
        self._events = events
        self._touched = touched
        self._reflectors: dict[tuple[str, str], Reflector[Live]] = {}
        self._wanted: tuple[Wanted, ...] = ()
        self._renamed = asyncio.Event()

    def reload(self) -> None:
        """Read the folder; while it cannot be used, what it held before is wanted."""
        before = self._wanted
        try:
            self._wanted = read(self._folder)
            self.complaint = ""
        except WantedError as error:
            if str(error) != self.complaint:
                log.error("the webhook configurations are left as they are: %s", error)
            self.complaint = str(error)
            return
        for one in self._wanted:
            if (one.kind, one.name) not in self._reflectors:
                self._reflectors[one.kind, one.name] = self._reflector(one)
                self._renamed.set()
        if self._wanted != before:
            self._touched()

    @property
    def synced(self) -> bool:
        """What is wanted is known, and what of it is live: not to know is not that nothing is."""
        return bool(self._wanted) and all(one.synced for one in self._reflectors.values())

    @property
    def bundles(self) -> list[bytes]:
        """Of every webhook that is live; none while nothing is active."""
        found = (self._live(one) for one in self._wanted)
        return [bundle for live in found if live for bundle in bundles(live.webhooks)]

    def matches(self, bundle: bytes) -> dict[str, bool]:
        """By resource: whether it is live as it is wanted; those that are gone are not there."""
        found = ((one, self._live(one)) for one in self._wanted)
        return {
            RESOURCES[one.kind]: is_filled(one, bundle, live.webhooks)
            for one, live in found
            if live
        }

    async def run(self) -> None:
        """Follow the folder, and what is live, until cancelled."""
        following: set[tuple[str, str]] = set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            while True:
                self._renamed.clear()
                for key in self._reflectors.keys() - following:
                    following.add(key)
                    group.create_task(self._reflectors[key].run())
                await self._renamed.wait()

    async def _poll(self) -> NoReturn:
        while True:
            self.reload()
            await asyncio.sleep(POLL_SECONDS)

    async def fill(self, bundle: bytes, proof: Proof) -> str:
        """Make those that are there what they should be.

        What lets requests fail that could not before waits for a server that proves itself; the
        answer is why that is not done, or "". Raises ClusterError.
        """
        obstacle: str | None = None
        for wanted in self._wanted:
            live = self._live(wanted)
            if live is None or is_filled(wanted, bundle, live.webhooks):
                continue
            if tightens(wanted, live.webhooks):
                obstacle = await proof(bundle) if obstacle is None else obstacle
                if obstacle:
                    continue
            await self._write(wanted, live, bundle)
        return obstacle or ""

    async def _write(self, wanted: Wanted, live: Live, bundle: bytes) -> None:
        """By the very object that was seen: apply would create one that has just been deleted."""
        where = path(API_VERSION, RESOURCES[wanted.kind], name=wanted.name)
        webhooks = filled(wanted, bundle)
        body = {
            "apiVersion": API_VERSION,
            "kind": wanted.kind,
            "metadata": {"name": wanted.name, "uid": live.uid, "resourceVersion": live.version},
            "webhooks": webhooks,
        }
        after = msgspec.json.decode(await self._writer.apply(where, body, force=True), type=Stored)
        if not is_filled(wanted, bundle, after.webhooks or ()):
            # What others have added to lists is theirs for server-side apply; here it is not.
            only = {"uid": live.uid, "resourceVersion": after.metadata.resourceVersion}
            await self._writer.merge_patch(where, {"metadata": only, "webhooks": webhooks})
        await self._tell(wanted, live)

    async def _tell(self, wanted: Wanted, live: Live) -> None:
        loosened = loosens(wanted, live.webhooks)
        reason, note = "WebhooksUpdated", "set to what it should be"
        if not live.webhooks:
            reason, note = "WebhooksActivated", "filled: requests go to Netreeve"
        elif loosened:
            reason, note = "EnforcementEnded", ENDED
        log.log(
            logging.WARNING if loosened else logging.INFO,
            "%s %s: %s",
            wanted.kind,
            wanted.name,
            note,
        )
        about = Reference(API_VERSION, wanted.kind, wanted.name, uid=live.uid)
        await self._events.tell(Event(about, reason, note, "FillWebhooks", warning=loosened))

    def _live(self, wanted: Wanted) -> Live | None:
        reflector = self._reflectors.get((wanted.kind, wanted.name))
        return reflector.items.get(wanted.name) if reflector else None

    def _reflector(self, wanted: Wanted) -> Reflector[Live]:
        reflector: Reflector[Live] = Reflector(
            self._connection,
            path(API_VERSION, RESOURCES[wanted.kind]),
            Stored,
            _keep,
            params={"fieldSelector": f"metadata.name={wanted.name}"},
        )
        reflector.subscribe(lambda keys: self._touched())
        return reflector


def _keep(stored: Stored) -> Live:
    meta = stored.metadata
    return Live(meta.uid, meta.resourceVersion, stored.webhooks or [])
