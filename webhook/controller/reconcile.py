"""Makes one namespace what it should be: policies, then the pods that wait for them, then status.

Compares what is wanted with what the watches have brought and writes the difference; in a steady
state that is nothing. Everything may be interrupted anywhere and done again, by two at once too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from policies.baseline.objects import Environment, Generated, Namespace, manifest
from policies.network_policies.managed import DEFAULT_DENY
from webhook.cluster.errors import ClusterError, RefusedError
from webhook.cluster.events import Event, Events, Reference
from webhook.controller.cache import Cache, Sent
from webhook.controller.decide import Decision, decide
from webhook.controller.queue import WorkQueue
from webhook.controller.states import States
from webhook.controller.views import Known
from webhook.controller.writer import Writer, is_ending
from webhook.controller.written import Covered, Status, annotation, written

PASSING = frozenset({408, 409, 429})
"""Refusals that say nothing about what was asked; 5xx neither."""
log = logging.getLogger(__name__)


class Reconciler:
    """environment: to be set before the first `reconcile`, and whenever it changes.

    now: the time of day, in UTC.
    """

    def __init__(
        self,
        cache: Cache,
        writer: Writer,
        events: Events,
        *,
        queue: WorkQueue,
        states: States,
        now: Callable[[], datetime],
    ) -> None:
        self.environment: Environment | None = None
        self._cache = cache
        self._writer = writer
        self._events = events
        self._now = now
        self._queue = queue
        self._states = states

    async def reconcile(self, name: str) -> None:
        """One pass over the namespace. Raises ClusterError when it is to be tried again."""
        known = self._cache.namespaces.items.get(name)
        if known is None or known.terminating or self.environment is None:
            self._states.forget(name)
            return
        before = written(known.status)
        decision = decide(self.environment, known.namespace, self._cache.policies(name), before)
        try:
            await self._carry_out(known, decision)
        except ClusterError as error:
            if is_ending(error):
                return
            with suppress(ClusterError):
                await self._tell_failure(known, error)
            raise

    async def _carry_out(self, known: Known, decision: Decision) -> None:
        if decision.relabel:
            await self._relabel(known, decision.relabel)
            return
        was_under_one = self._states.decided(known, decision)
        if was_under_one and not decision.baseline:
            await self._event(known.namespace, RELEASED)
        await self._write_policies(known, decision)
        if decision.release:
            await self._release(known.namespace)
        await self._tell(known, decision)

    async def _relabel(self, known: Known, baseline: str) -> None:
        """Undo what was done to the label while nobody asked the gate."""
        await self._writer.relabel(known, baseline)
        log.warning("namespace %s: put under %s again", known.namespace.name, baseline)
        await self._event(known.namespace, RELABELLED)

    async def _write_policies(self, known: Known, decision: Decision) -> None:
        """In order: each is sent when the one before it was accepted."""
        name, sent = known.namespace.name, self._cache.sent_policies
        for one in decision.missing:
            key = f"{name}/{one.name}"
            self._look_again(name)
            if sent.waits(key):
                continue
            with sent.sending(key):
                await self._write_policy(known.namespace, one, decision)
            was_there = written(known.status).state == "covered" and one.name == DEFAULT_DENY
            if was_there or one.name in decision.recreated:
                await self._event(known.namespace, REPAIRED)

    def _look_again(self, name: str) -> None:
        """Also where no event comes: what was written may have changed nothing."""
        self._queue.add_later(name, Sent.PATIENCE)

    async def _write_policy(self, namespace: Namespace, one: Generated, decision: Decision) -> None:
        body = manifest(one, namespace, decision.baseline)
        if one.name in decision.ours:
            await self._writer.repair(body)
        else:
            # A conflict, by a quota or by somebody who has just made it, ends the pass: what comes
            # after this policy must not be there without it. The watch will say whose it is.
            await self._writer.create(body)

    async def _release(self, namespace: Namespace) -> None:
        """Take the gate from the pods that wait.

        Watches of several kinds are not ordered: a pod may be known before it is that its
        namespace, and all that protected it, has been deleted and made anew.
        """
        sent = self._cache.sent_releases
        keyed = {
            f"{namespace.name}/{name}": pod
            for name, pod in self._cache.waiting(namespace.name).items()
        }
        waiting = {key: pod for key, pod in keyed.items() if not sent.waits(key)}
        if keyed:
            self._look_again(namespace.name)
        if not waiting or not await self._writer.is_current(namespace):
            return
        for key, pod in waiting.items():
            with sent.sending(key):
                await self._writer.release(namespace.name, pod)

    async def _tell(self, known: Known, decision: Decision) -> None:
        """Write the status where it differs from what is written; never one that is passing."""
        status = decision.status
        if status is None and known.status and not decision.baseline:
            await self._annotate(known, None)
        elif status and (status.state == "failing" or not decision.missing):
            await self._tell_status(known, status, decision.covered)

    async def _tell_status(self, known: Known, status: Status, covered: Covered) -> None:
        now = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        before = written(known.status)
        text = annotation(status, covered, before, now)
        if text is None or not await self._annotate(known, text):
            return
        if status != (before.state, before.reason, before.message):
            log.info("namespace %s: %s: %s", known.namespace.name, status.reason, status.message)
            await self._event(known.namespace, status)

    async def _tell_failure(self, known: Known, error: ClusterError) -> None:
        """What the API server has refused for good, as far as one can tell."""
        if isinstance(error, RefusedError) and error.status < 500 and error.status not in PASSING:
            self._states.failed(known.namespace.name)
            status = Status("failing", "WriteRefused", str(error))
            await self._tell_status(known, status, written(known.status).covered)

    async def _annotate(self, known: Known, text: str | None) -> bool:
        name, sent = known.namespace.name, self._cache.sent_statuses
        if sent.waits(name):
            self._look_again(name)
            return False
        with sent.sending(name):
            await self._writer.annotate(known, text)
        return True

    async def _event(self, namespace: Namespace, status: Status) -> None:
        about = Reference("v1", "Namespace", namespace.name, uid=namespace.uid)
        warning = status.state != "covered" or status in UNDONE
        event = Event(about, status.reason, status.message, "WriteBaseline", warning)
        await self._events.tell(event)


REPAIRED = Status(
    "covered",
    "Repaired",
    "a NetworkPolicy of the baseline was deleted or changed by somebody and is restored",
)
RELABELLED = Status(
    "covered",
    "Relabelled",
    "somebody took or changed the label of the baseline without being asked by Netreeve, and it "
    "is restored",
)
UNDONE = (REPAIRED, RELABELLED)
RELEASED = Status(
    "failing",
    "Released",
    "not under a baseline any more; its NetworkPolicies are left in place, and netreeve baseline "
    "remove deletes them",
)
