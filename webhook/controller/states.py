"""How all namespaces stand, for metrics: how many in which state, and how long coverage took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from webhook.controller.decide import Decision
from webhook.controller.views import Known
from webhook.controller.written import Status

EXCLUDED = "excluded"
STATES = ("covered", "pending", "failing", EXCLUDED)
LONGEST_START = 60.0
"""Seconds. Older namespaces are not new: their time runs from when they came under a baseline."""


class _Pending(NamedTuple):
    uid: str
    since: datetime


class States:
    """record: told the seconds from the creation of a namespace to its coverage."""

    def __init__(self, record: Callable[[float], None], now: Callable[[], datetime]) -> None:
        self._record = record
        self._now = now
        self._states: dict[str, str] = {}
        self._pending: dict[str, _Pending] = {}
        self._left: dict[str, int] = {}

    def decided(self, known: Known, decision: Decision) -> bool:
        """Whether the namespace was under a baseline so far."""
        name = known.namespace.name
        status = decision.status
        before = self._states.get(name, EXCLUDED)
        self._states[name] = status.state if status else EXCLUDED
        self._left[name] = len(decision.left)
        if status and status.state == "pending":
            self._wait(known)
        else:
            self._arrive(known, status)
        return before != EXCLUDED

    def _arrive(self, known: Known, status: Status | None) -> None:
        """Coverage, or any other end of waiting."""
        name = known.namespace.name
        pending = self._pending.pop(name, None)
        covered = status is not None and status.state == "covered"
        if covered and pending and pending.uid == known.namespace.uid:
            self._record((self._now() - pending.since).total_seconds())

    def failed(self, name: str) -> None:
        self._states[name] = "failing"

    def forget(self, name: str) -> None:
        for one in (self._states, self._pending, self._left):
            one.pop(name, None)

    def clear(self) -> None:
        """Nobody leads here: what was known goes stale."""
        for one in (self._states, self._pending, self._left):
            one.clear()

    def counts(self) -> dict[tuple[str, ...], int]:
        """By state; every state is there, or none is while nobody leads here."""
        found = Counter(self._states.values())
        return {(state,): found[state] for state in STATES} if self._states else {}

    def left(self) -> int:
        """Policies of ours that no baseline asks for any more."""
        return sum(self._left.values())

    def _wait(self, known: Known) -> None:
        """The API server's time of creation has whole seconds, so up to one is added."""
        namespace, now = known.namespace, self._now()
        before = self._pending.get(namespace.name)
        if before is None or before.uid != namespace.uid:
            created = datetime.fromisoformat(known.created) if known.created else now
            new = 0 <= (now - created).total_seconds() < LONGEST_START
            self._pending[namespace.name] = _Pending(namespace.uid, created if new else now)
