"""The audit in the background: follow, judge what changes, report what has changed.

Runs in whoever leads. What an object's verdict depends on beside itself (labels of its namespace,
nodes, other policies) makes everything stale, and at the next interval it is judged again.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Literal, NamedTuple

from msgspec.structs import replace

from policies.model import ClusterFacts, User
from policies.network_policies.views import NetworkPolicy
from webhook.admission.cluster import Offline
from webhook.admission.ruleset import Ruleset
from webhook.admission.verdict import Exempt
from webhook.audit.background.kept import Followed, rows
from webhook.audit.background.reporter import Reporter
from webhook.audit.findings import Report, Result
from webhook.audit.judged import Judged
from webhook.audit.live.collections import collections
from webhook.audit.live.judging import Judge, Kind
from webhook.audit.live.provenance import Provenance
from webhook.cluster.cache import ClusterCache
from webhook.cluster.connection import Connection
from webhook.cluster.errors import ClusterError
from webhook.cluster.stampkeys import STAMP_SECRET, stamp_keys
from webhook.exemptions.stamp import Keys

SETTLE_SECONDS = 5.0
RETRY_SECONDS = 30.0
log = logging.getLogger(__name__)
Reports = Literal["auto", "openreports", "wgpolicyk8s", "none"]


class Plan(NamedTuple):
    """What to audit and how often. baseline: the user who writes the policies of baselines.

    profile: by whose actions, which the reports say.
    """

    rules: Ruleset
    interval: float
    reports: Reports
    baseline: User = User()
    profile: str = ""


class _Around(Offline):
    """The cluster around an object, without how it stands to the baseline: it runs already."""

    def __init__(self, cache: ClusterCache) -> None:
        self._cache = cache

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        return self._cache.namespace_labels(namespace)

    def network_policies(self, namespace: str) -> tuple[NetworkPolicy, ...] | None:
        return self._cache.network_policies(namespace)

    def facts(self) -> ClusterFacts:
        return self._cache.facts()

    def exemption(self, namespace: str) -> Mapping[str, str]:
        return self._cache.exemption(namespace)


class _Selecting(Container[str]):
    """The Services with a selector, ``namespace/name``."""

    def __init__(self, services: Callable[[], Followed]) -> None:
        self._services = services

    def __contains__(self, key: object) -> bool:
        kept = self._services().reflector.items.get(str(key))
        return kept is not None and kept.selects


class Background:
    """Use in one event loop. lease: of the controller, in whose namespace the ConfigMap is.

    settle: seconds; what changes within them is one report.
    """

    def __init__(
        self,
        connection: Connection,
        lease: tuple[str, str],
        now: Callable[[], datetime],
        *,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        self._settle = settle
        self._connection = connection
        self._now = now
        self._lease = lease
        self._plan: Plan | None = None
        self._planned = asyncio.Event()
        self._followed: tuple[Followed, ...] = ()
        self._changed = asyncio.Event()
        self._stale = False
        self._keys: Keys | None = None
        self._judging: Judge
        self._ends = math.inf
        """When the next exemption ends, Unix time: then what it lifted counts again."""
        self._counts: Mapping[tuple[str, ...], int] = {}
        self._statuses: Mapping[tuple[str, ...], int] = {}
        self.judged = 0
        """Verdicts so far, of this process."""
        self.completed: float | None = None
        """When the last report was complete, seconds since 1970."""
        self.reporter = Reporter(connection, lease[0])

    def configure(self, plan: Plan | None) -> None:
        """What holds from now on; None for no audit."""
        if plan != self._plan:
            self._plan = plan
            self._planned.set()

    def findings(self) -> Mapping[tuple[str, ...], int]:
        """How many by policy and action, at the last report."""
        return self._counts

    def objects(self) -> Mapping[tuple[str, ...], int]:
        """How many by status, at the last report."""
        return self._statuses

    async def lead(self) -> None:
        """Audit until cancelled; starts anew with every plan."""
        while True:
            self._planned.clear()
            running = asyncio.create_task(self._run(self._plan)) if self._plan else None
            try:
                await self._planned.wait()
            finally:
                if running:
                    running.cancel()
                    with suppress(asyncio.CancelledError):
                        await running
                self._followed, self._counts, self._statuses = (), {}, {}

    async def _run(self, plan: Plan) -> None:
        while True:
            try:
                await self._audit(plan)
            except* ClusterError as errors:
                log.warning("audit: %s; trying again", errors.exceptions[0])
            except* Exception:  # the baseline and the certificates must go on
                log.exception("audit: failed, and starts anew")
            await asyncio.sleep(RETRY_SECONDS)

    async def _audit(self, plan: Plan) -> None:
        cache = ClusterCache(self._connection, self._lease)
        async with asyncio.TaskGroup() as group:
            group.create_task(cache.run())
            while not cache.synced:
                await asyncio.sleep(0.2)
            kinds = await collections(self._connection, plan.rules.workloads)
            self._followed = tuple(map(self._follow, kinds))
            for one in (cache.namespaces, cache.nodes, cache.policies):
                one.subscribe(self._outdated)
            await self._pass(group, plan, cache)

    def _judge(self, plan: Plan, cache: ClusterCache) -> Judge:
        provenance = Provenance(_Selecting(self._services), plan.baseline)
        return Judge(plan.rules, _Around(cache), provenance, self._time, self._keys)

    def _services(self) -> Followed:
        return next(one for one in self._followed if one.kind.resource.resource == "services")

    def _follow(self, kind: Kind) -> Followed:
        found = Followed(self._connection, kind, lambda: self._judging, self._count)
        found.reflector.subscribe(lambda _: self._changed.set())
        return found

    async def _pass(self, group: asyncio.TaskGroup, plan: Plan, cache: ClusterCache) -> None:
        """Everything once, then what changes; everything again where it may have become stale."""
        await self._has_new_keys()
        while True:
            self._stale = False
            self._judging = self._judge(plan, cache)
            following = []
            for one in self._followed:  # one by one: a small burden, and owners before the owned
                one.reflector.settled = False
                one.reflector.resource_version = ""
                following.append(group.create_task(one.reflector.run()))
                while not (one.reflector.settled or one.reflector.failure):
                    await asyncio.sleep(0.05)
            self._changed.set()
            writing = group.create_task(self._report(plan))
            while not (self._stale or self._ends <= self._time() or await self._has_new_keys()):
                await asyncio.sleep(plan.interval)
            for task in (writing, *following):
                task.cancel()
            await asyncio.wait((writing, *following))

    async def _has_new_keys(self) -> bool:
        """Whether the stamps have other keys than before: made after us, or exchanged."""
        found = (await stamp_keys(self._connection, self._lease[0], STAMP_SECRET)).keys
        if found is None or found == self._keys:
            return False
        self._keys = found
        return True

    async def _report(self, plan: Plan) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(self._settle)
            self._changed.clear()
            results = tuple(
                replace(self._judging.result(kind, stored, own), folded=folded)
                for kind, stored, own, folded in rows(self._followed)
            )
            self._counts, self._statuses = _counted(results)
            self._ends = _next_end(results, self._time())
            judged = Judged(source="cluster", profile=plan.profile)
            try:
                await self.reporter.write(Report(results, judged=judged), plan.reports)
                self.completed = self._time()
            except ClusterError as error:
                log.warning("audit: the report could not be written: %s; trying again", error)
                self._changed.set()
                await asyncio.sleep(RETRY_SECONDS)

    def _time(self) -> float:
        return self._now().timestamp()

    def _count(self) -> None:
        self.judged += 1

    def _outdated(self, keys: Collection[str]) -> None:
        self._stale = True


def _next_end(results: Iterable[Result], now: float) -> float:
    exempt = (one.exempt for result in results for one in result.findings)
    ends = (one.until for one in exempt if isinstance(one, Exempt) and one.until is not None)
    return min((end for end in ends if end > now), default=math.inf)


def _counted(
    results: Iterable[Result],
) -> tuple[Mapping[tuple[str, ...], int], Mapping[tuple[str, ...], int]]:
    found, statuses = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for result in results:
        statuses[(result.status,)] += 1
        found.update((one.policy, one.action.value) for one in result.findings)
    return found, statuses
