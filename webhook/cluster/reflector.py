"""A live copy of one kind of object: LIST once, WATCH from there on, never die.

Owns the snapshot and when to ask again; both the server's caches and the controller's build on
it. Knows no kind in particular and decides nothing.

Needs list and watch on what it reflects. The copy outlives every failure of the API server; how
old it is can be seen (`last_progress`, `failure`), and what that means is for others to say.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec
from msgspec.json import Decoder

from webhook.cluster.connection import Connection
from webhook.cluster.errors import (
    ClusterError,
    CredentialsError,
    ExpiredError,
    ProtocolError,
    RefusedError,
    UnreachableError,
)
from webhook.cluster.pages import PAGE, read_page
from webhook.cluster.status import Status, refused

WATCH_SECONDS = (240, 300)
"""How long the API server shall keep a watch open: random, so that restarts spread out."""
SHORTEST_WATCH = 1.0
"""A watch that ends earlier, for whatever reason, is not followed by another one at once."""
STEPS_PER_TICK = 50
"""Objects handled before the event loop gets its turn: about a millisecond of work."""
LONGEST_RETRY_AFTER = 300.0


class Versioned(Protocol):
    @property
    def resourceVersion(self) -> str: ...  # noqa: N802 - Kubernetes' own spelling


class Followed(Protocol):
    """What must be readable of an object: `objects.Object`, or a view of another package."""

    @property
    def key(self) -> str: ...
    @property
    def metadata(self) -> Versioned: ...


O = TypeVar("O", bound=Followed)  # noqa: E741
T = TypeVar("T")
V = TypeVar("V")
F_co = TypeVar("F_co", covariant=True)


class Decodes(Protocol[F_co]):
    """A msgspec Decoder, or something like it. Raises msgspec.DecodeError or RecursionError."""

    def decode(self, body: msgspec.Raw, /) -> F_co: ...


_Class = type  # which the parameter of a Reflector hides
Handler = Callable[[Collection[str]], None]
"""Told the keys of what has changed, after the snapshot has; reads the state it finds there."""

# Failures that say nothing about what was received so far: the next watch goes on from there.
_HARMLESS = (CredentialsError, RefusedError, UnreachableError)
log = logging.getLogger(__name__)
_ABSENT: Final = object()


class _ListMeta(msgspec.Struct):
    resourceVersion: str = ""
    next: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_PAGE, _EVENT, _STATUS = Decoder(_Page), Decoder(_Event), Decoder(Status)


class Backoff:
    """Exponential with full jitter: between 0 and twice the last limit, 0.8 to 30 seconds."""

    FIRST, LONGEST = 0.8, 30.0

    def __init__(self) -> None:
        self._limit = self.FIRST

    def reset(self) -> None:
        self._limit = self.FIRST

    def next(self) -> float:
        """The seconds to wait now."""
        limit, self._limit = self._limit, min(self._limit * 2, self.LONGEST)
        return random.uniform(0.0, limit)  # noqa: S311 - spreads load, keeps no secret


class Reflector(Generic[V]):
    """What the API server has under a path, by key (``name`` or ``namespace/name``).

    path: of the collection (``/api/v1/nodes``). type: what to decode of each object, or whoever
    decodes it. keep: what to store of it; when that compares equal to what is stored, nothing has
    changed. params: labelSelector or fieldSelector.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        type: type[O] | Decodes[O],
        keep: Callable[[O], V],
        *,
        params: Mapping[str, str] = {},
        watch_seconds: tuple[int, int] = WATCH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.synced = False
        self.settled = False
        """The first LIST was answered: by the objects, or by a refusal that only RBAC can lift."""
        self.resource_version = ""
        self.last_progress: float | None = None
        """When it was last heard of, by `clock`; a watch on what never changes is silent."""
        self.failure = ""
        """Why the API server cannot be followed at present, "" when it can."""
        self._connection = connection
        self._decoder: Decodes[Any] = Decoder(type) if isinstance(type, _Class) else type
        self._keep: Callable[[Any], V] = keep
        self._params = params
        self._watch_seconds = watch_seconds
        self._clock = clock
        self._items: dict[str, V] = {}
        self._backoff = Backoff()
        self._handlers: list[Handler] = []
        self._steps = 0

    @property
    def items(self) -> Mapping[str, V]:
        """The present state; a relist puts another mapping in its place."""
        return self._items

    def subscribe(self, handler: Handler) -> None:
        """Call `handler` after every change; it must be quick, and cannot stop the reflector."""
        self._handlers.append(handler)

    async def run(self) -> None:
        """Follow the API server until cancelled."""
        while True:
            await asyncio.sleep(await self._attempt())

    async def _attempt(self) -> float:
        """One LIST where there is nothing to go on from, one WATCH; the seconds until the next."""
        try:
            if not self.resource_version:
                await self._list()
            return 0.0 if await self._watch() else self._backoff.next()
        except ExpiredError:  # so it goes: after a restart of the API server, or a long silence
            log.info("%s: listing everything again, the history is gone", self.path)
            self.resource_version = ""
            return self._backoff.next()
        except Exception as error:  # a reflector that dies would leave an ever older copy
            return self._failed(error)

    async def _list(self) -> None:
        """Page by page into a new snapshot, which then replaces the old one at once.

        Without resourceVersion: for "0" the API server ignores the limit and sends everything
        in one answer (see docs/adr/0002).
        """
        items: dict[str, V] = {}
        version = ""
        params, size = {**self._params}, PAGE
        while True:
            body, size = await read_page(self._connection, self.path, params, size)
            page = self._read(_PAGE, body)
            for raw in page.items or ():
                await self._step()
                found = self._read(self._decoder, raw)
                items[found.key] = self._keep(found)
            # The first page's: that of later ones may be newer, and a watch repeats harmlessly.
            self._progress()
            version = version or page.metadata.resourceVersion
            if not page.metadata.next:
                break
            params["continue"] = page.metadata.next
        if not version:
            raise ProtocolError(f"{self.path}: a list without resourceVersion")
        await self._replace(items)
        self.resource_version = version
        self.synced = self.settled = True

    async def _replace(self, items: dict[str, V]) -> None:
        old, self._items = self._items, items
        changed = []
        for key in {**old, **items}:
            await self._step()
            if old.get(key, _ABSENT) != items.get(key, _ABSENT):
                changed.append(key)
        self._notify(changed)

    async def _watch(self) -> bool:
        """Apply events until the watch ends; whether it lasted long enough to go on at once."""
        seconds = random.randint(*self._watch_seconds)  # noqa: S311 - spreads load
        params = {
            **self._params,
            "resourceVersion": self.resource_version,
            "allowWatchBookmarks": "true",
        }
        async with self._connection.watch(self.path, params, seconds) as lines:
            self._recovered()
            started = self._clock()
            try:
                async for line in lines:
                    await self._step()
                    self._apply(line)
            finally:
                lasted = self._clock() - started >= SHORTEST_WATCH
                if lasted:
                    self._backoff.reset()
        self._progress()
        return lasted

    def _apply(self, line: bytes) -> None:
        event = self._read(_EVENT, line)
        if event.type == "ERROR":
            status = self._read(_STATUS, event.object)
            raise refused(f"{self.path}: the watch ended: {status.message}", status.code)
        found = self._read(self._decoder, event.object)
        if event.type == "DELETED":
            self._changed(found.key, self._items.pop(found.key, _ABSENT), _ABSENT)
        elif event.type != "BOOKMARK":
            old = self._items.get(found.key, _ABSENT)
            self._items[found.key] = new = self._keep(found)
            self._changed(found.key, old, new)
        self.resource_version = found.metadata.resourceVersion
        self._progress()

    def _changed(self, key: str, old: object, new: object) -> None:
        if old != new:
            self._notify((key,))

    def _notify(self, keys: Collection[str]) -> None:
        for handler in self._handlers:
            try:
                handler(keys)
            except Exception:
                log.exception("%s: a handler failed on %d changes", self.path, len(keys))

    def _read(self, decoder: Decodes[T], raw: Any) -> T:
        try:
            return decoder.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise ProtocolError(f"{self.path}: not what an API server answers: {error}") from error

    async def _step(self) -> None:
        self._steps += 1
        if self._steps % STEPS_PER_TICK == 0:
            await asyncio.sleep(0)

    def _progress(self) -> None:
        self.last_progress = self._clock()

    def _recovered(self) -> None:
        self._progress()
        if self.failure:
            log.info("%s: following the API server again", self.path)
        self.failure = ""

    def _failed(self, error: Exception) -> float:
        """Remember and log why, and the seconds until the next attempt."""
        pause = self._backoff.next()
        if isinstance(error, RefusedError):
            pause += min(error.retry_after, LONGEST_RETRY_AFTER)
            self.settled = self.settled or error.status == 403
        if not isinstance(error, _HARMLESS):
            # An event that cannot be read would be there again; a new list may be without it.
            self.resource_version = ""
        if not isinstance(error, ClusterError):
            log.exception("%s: failed, and lists everything again", self.path)
        elif str(error) != self.failure:
            log.warning("%s; serving what is known and trying on", error)
        self.failure = str(error) or type(error).__name__
        return pause
