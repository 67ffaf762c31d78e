"""Every object of a cluster through the gate, page by page: a Report like that of manifests.

Reads only, with the rights of whoever asks; what may not be read is said in the report, and the
rest is judged. Knows nothing of how one object is judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from policies.model import ClusterFacts, User
from policies.network_policies.views import NetworkPolicy
from webhook.admission.ruleset import Ruleset
from webhook.admission.verdict import Finding
from webhook.audit.findings import Report, Result, Unreadable
from webhook.audit.live.collections import collections
from webhook.audit.live.fold import Folding
from webhook.audit.live.judging import Judge, Kind
from webhook.audit.live.provenance import Provenance
from webhook.audit.live.stored import Stored, StoredService
from webhook.audit.live.surroundings import Surroundings
from webhook.cluster.apply import path
from webhook.cluster.cache import CONTROLLER_LEASE, node_facts, not_enforced
from webhook.cluster.connection import Connection
from webhook.cluster.errors import ClusterError
from webhook.cluster.lists import Lists, Unread, decode
from webhook.cluster.objects import Lease, Node
from webhook.cluster.pages import PAGE
from webhook.exemptions.claim import only
from webhook.exemptions.stamp import Keys

T = TypeVar("T")


class Step(NamedTuple):
    """How far an audit is: it reads the collection ``resource``, after ``done`` of ``total``.

    objects: read so far, of all collections.
    """

    resource: str
    done: int
    total: int
    objects: int


Progress = Callable[[Step], None]
"""Called when a collection is begun, and with every page of it."""

Seen = Callable[[Kind, Stored, msgspec.Raw, Iterable[Finding]], None]
"""Called with every object and what was found in it."""


class Wanted(NamedTuple):
    """What to audit. namespace: "" for all. baseline: the user of the baseline's controller.

    now: Unix time, because exemptions end. keys: by which their stamps are verified; without
    them, exemptions are shown as claimed. lease: of the controller, which tells whether
    NetworkPolicies are enforced.
    """

    rules: Ruleset
    now: float
    namespace: str = ""
    baseline: User = User()
    keys: Keys | None = None
    lease: tuple[str, str] = CONTROLLER_LEASE


async def audit(
    connection: Connection, wanted: Wanted, progress: Progress, seen: Seen | None = None
) -> Report:
    """The verdict on everything that is stored.

    Raises ClusterError where nothing can be read, or the namespace that is wanted is not there.
    """
    return await _Scan(connection, wanted, progress, seen).run()


_AROUND = 3
"""Collections that are read for what they say of others: namespaces, NetworkPolicies, nodes."""


class _Scan:
    def __init__(
        self, connection: Connection, wanted: Wanted, progress: Progress, seen: Seen | None
    ) -> None:
        self._seen = seen
        self._connection = connection
        self._wanted = wanted
        self._progress = progress
        self._folding = Folding()
        self._selecting: set[str] = set()
        self._results: dict[str, Result] = {}
        self._lists = Lists(connection)
        self._done, self._total, self._objects = 0, 0, 0

    async def run(self) -> Report:
        wanted = self._wanted
        kinds = await collections(self._connection, wanted.rules.workloads)
        self._total = len(kinds) + _AROUND
        around = await self._surroundings()
        provenance = Provenance(self._selecting, wanted.baseline)
        judge = Judge(wanted.rules, around, provenance, lambda: wanted.now, wanted.keys)
        for kind in kinds:
            resource = kind.resource
            async for body in self._read(kind.version, resource.resource, resource.namespaced):
                self._judge(judge, kind, body)
        results = tuple(
            msgspec.structs.replace(result, folded=self._folding.folded[uid])
            for uid, result in self._results.items()
        )
        return Report(results, tuple(map(_unreadable, dict.fromkeys(self._lists.unread))))

    async def _surroundings(self) -> Surroundings:
        namespaces = await self._all("v1", "namespaces", Stored) or ()
        if self._wanted.namespace and not (namespaces or self._lists.unread):
            raise ClusterError(f"there is no namespace {self._wanted.namespace!r}")
        labels = {one.metadata.name: one.metadata.labels or {} for one in namespaces}
        exemptions = {one.metadata.name: only(one.metadata.annotations) for one in namespaces}
        stored = await self._all("networking.k8s.io/v1", "networkpolicies", NetworkPolicy)
        nodes = [node_facts(one) for one in await self._all("v1", "nodes", Node) or ()]
        facts = ClusterFacts(
            providers=frozenset(one.provider for one in nodes),
            nodeAddresses=frozenset().union(*(one.addresses for one in nodes)),
            notEnforced=await self._not_enforced(),
        )
        policies = None if stored is None else _by_namespace(stored)
        return Surroundings(labels, policies, facts, exemptions)

    async def _not_enforced(self) -> str:
        """As the gate knows it; "" where the Lease may not be read, which lacks a warning only."""
        where = path("coordination.k8s.io/v1", "leases", *self._wanted.lease)
        lease = await Lists(self._connection).one(where, Lease)
        return "" if lease is None else not_enforced(lease)

    def _judge(self, judge: Judge, kind: Kind, body: msgspec.Raw) -> None:
        stored = kind.read(body)
        if isinstance(stored, StoredService) and stored.selects:
            self._selecting.add(stored.key)
        judged = judge.findings(kind, stored, body)
        if self._seen is not None:
            self._seen(kind, stored, body, judged)
        findings = self._folding.own(stored, judged)
        if findings is not None:
            uid = stored.metadata.uid or f"{kind.resource.resource} {len(self._results)}"
            self._results[uid] = judge.result(kind, stored, findings)

    async def _all(self, version: str, resource: str, view: type[T]) -> list[T] | None:
        """All of a collection; None where it may not be read."""
        unread = len(self._lists.unread)
        bodies = self._read(version, resource, resource == "networkpolicies")
        found = [decode(resource, body, view) async for body in bodies]
        return None if len(self._lists.unread) > unread else found

    async def _read(
        self, version: str, resource: str, namespaced: bool
    ) -> AsyncIterator[msgspec.Raw]:
        """The objects of a collection in the namespace that is wanted, or in all."""
        self._tell(resource)
        self._done += 1
        only = self._wanted.namespace
        if only and resource == "namespaces":  # may be read with a right in it alone
            body = await self._lists.one(path(version, resource, name=only), msgspec.Raw)
            if body is not None:
                yield body
            return
        async for body in self._lists.each(path(version, resource, only if namespaced else "")):
            yield body
            self._objects += 1
            if self._objects % PAGE == 0:
                self._tell(resource)

    def _tell(self, resource: str) -> None:
        self._progress(Step(resource, self._done, self._total, self._objects))


def _unreadable(unread: Unread) -> Unreadable:
    """What is missing in the report, and what of the rest is judged with less."""
    lacking = _LACKING.get(unread.resource, "so none were judged")
    return Unreadable(unread.resource, None, f"{unread.message}, {lacking}")


_LACKING: Mapping[str, str] = {
    "nodes": "so load-balancer accepts what any cloud takes for internal, and endpoint-slices "
    "knows no address of a node: both may find less than the gate does",
    "namespaces": "so none were judged, no exemption of a namespace counts, and of settings that "
    "differ between namespaces the strictest holds",
}
"""What the verdicts on other objects need."""


def _by_namespace(stored: Sequence[NetworkPolicy]) -> Mapping[str, tuple[NetworkPolicy, ...]]:
    policies: dict[str, list[NetworkPolicy]] = defaultdict(list)
    for one in stored:
        policies[(one.metadata and one.metadata.namespace) or ""].append(one)
    return {namespace: tuple(some) for namespace, some in policies.items()}
