"""Telling people what happened to an object, where they look for it: events.k8s.io/v1.

An aid, never a record: what cannot be told is logged and forgotten. The same event again is only
counted, and the count written every few minutes at most, so a loop that fails is no flood. Needs
create and patch on events in the group events.k8s.io.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from webhook.cluster.apply import Writer, path
from webhook.cluster.connection import Connection
from webhook.cluster.errors import ClusterError, NotFoundError, RefusedError

API_VERSION = "events.k8s.io/v1"
CONTROLLER = "netreeve.io/control"
QUIET_SECONDS = 300.0
REMEMBERED = 2000
LONGEST_NOTE = 1024
"""Bytes; the API server refuses more."""
SECONDS = 5.0
log = logging.getLogger(__name__)


class Reference(NamedTuple):
    """The object an event is about; its name must be a DNS name, as that of an event is."""

    apiVersion: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""

    @property
    def home(self) -> str:
        """The namespace of its events; for a Namespace itself, since people look there."""
        return self.namespace or (self.name if self.kind == "Namespace" else "default")


class Event(NamedTuple):
    """What there is to tell.

    reason: one word for what happened, action: for what was done or attempted; both in the
    spelling of Kubernetes (``BaselineApplied``). note: for people.
    """

    about: Reference
    reason: str
    note: str
    action: str
    warning: bool = False


@dataclass
class _Told:
    """Where an event is, how often it came, and until when it is not written again."""

    path: str = ""
    count: int = 0
    quiet: float = 0.0


class Events:
    """Tells events in the name of one process, `instance` (of at most 128 characters)."""

    def __init__(
        self,
        connection: Connection,
        instance: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._writer = Writer(connection, seconds=SECONDS)
        self._instance = instance
        self._clock = clock
        self._told: OrderedDict[Event, _Told] = OrderedDict()

    async def tell(self, event: Event) -> None:
        """Create the event, or count it when it was told before. Raises nothing."""
        told = self._told.setdefault(event, _Told())
        self._told.move_to_end(event)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        told.count += 1
        if self._clock() < told.quiet:
            return
        told.quiet = self._clock() + QUIET_SECONDS
        try:
            await self._write(event, told)
        except ClusterError as error:
            self._told.pop(event, None)
            if not (isinstance(error, RefusedError) and "NamespaceTerminating" in error.reasons):
                log.warning("%s %s not told: %s", event.reason, event.about.name, error)

    async def _write(self, event: Event, told: _Told) -> None:
        if told.path:
            series = {"count": told.count, "lastObservedTime": _time_of_day()}
            try:
                await self._writer.merge_patch(told.path, {"series": series})
            except NotFoundError:  # the API server keeps them for an hour
                told.count = 1
            else:
                return
        home, name = event.about.home, f"{event.about.name[:200]}.{uuid.uuid4().hex[:16]}"
        body = msgspec.json.encode(self._object(event, name))
        collection = path(API_VERSION, "events", home)
        await self._connection.write("POST", collection, body, seconds=SECONDS)
        told.path = path(API_VERSION, "events", home, name)

    def _object(self, event: Event, name: str) -> dict[str, Any]:
        return {
            "apiVersion": API_VERSION,
            "kind": "Event",
            "metadata": {"name": name},
            "eventTime": _time_of_day(),
            "type": "Warning" if event.warning else "Normal",
            "reason": event.reason,
            "action": event.action,
            "note": event.note.encode()[:LONGEST_NOTE].decode(errors="ignore"),
            "regarding": {**event.about._asdict(), "namespace": event.about.home},
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
        }


def _time_of_day() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
