"""Every object of a cluster through the gate, page by page: a Report like that of manifests.

Owns which collections are read and in which order. Reads only, with the rights of whoever asks;
what may not be read is said in the report, and the rest is judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from policies.model import CREATE, ClusterFacts, Request, User
from policies.network_policies.views import NetworkPolicy
from policies.resources import BUILT_IN, Resource, custom
from policies.workloads import CustomWorkload
from webhook.admission.gate import Gate, Review
from webhook.admission.plan import Ruleset
from webhook.admission.verdict import Verdict
from webhook.audit.check import found, status_of
from webhook.audit.findings import Report, Result, Unreadable
from webhook.audit.live.fold import Folding
from webhook.audit.live.provenance import Provenance
from webhook.audit.live.stored import Stored, StoredPod, StoredService
from webhook.audit.live.surroundings import Surroundings
from webhook.cluster.apply import path
from webhook.cluster.cache import node_facts
from webhook.cluster.connection import Connection
from webhook.cluster.errors import NotFoundError, ProtocolError, RefusedError
from webhook.cluster.objects import Node
from webhook.cluster.pages import pages

T = TypeVar("T")
Progress = Callable[[str, int], None]
"""Called with the collection that is read and the number of objects read so far."""

_LAST = ("cronjobs", "jobs", "replicasets", "pods")
"""Owners before what they own, so that it can be folded into them."""
_VIEWS: dict[str, type[Stored]] = {"services": StoredService, "pods": StoredPod}


class Wanted(NamedTuple):
    """What to audit. namespace: "" for all. baseline: the user of the baseline's controller."""

    rules: Ruleset
    namespace: str = ""
    baseline: User = User()


class _Groups(msgspec.Struct):
    class Group(msgspec.Struct):
        class Version(msgspec.Struct):
            groupVersion: str = ""

        name: str = ""
        preferredVersion: Version = msgspec.field(default_factory=Version)

    groups: list[Group] = []


async def audit(connection: Connection, wanted: Wanted, progress: Progress) -> Report:
    """The verdict on everything that is stored. Raises ClusterError where nothing can be read."""
    return await _Scan(connection, wanted, progress).run()


class _Scan:
    def __init__(self, connection: Connection, wanted: Wanted, progress: Progress) -> None:
        self._connection = connection
        self._wanted = wanted
        self._progress = progress
        self._excluded = wanted.rules.excluded_namespaces
        self._folding = Folding()
        self._selecting: set[str] = set()
        self._results: dict[str, Result] = {}
        self._unread: list[Unreadable] = []

    async def run(self) -> Report:
        self._gate = Gate(self._wanted.rules, await self._surroundings())
        self._provenance = Provenance(self._selecting, self._wanted.baseline)
        for resource, version in await self._collections():
            async for stored, body in self._objects(resource, version):
                self._judge(resource, version, stored, body)
        results = tuple(
            msgspec.structs.replace(result, folded=self._folding.folded[uid])
            for uid, result in self._results.items()
        )
        return Report(results, tuple(self._unread))

    async def _surroundings(self) -> Surroundings:
        labels = {
            one.metadata.name: one.metadata.labels or {}
            for one in await self._all("v1", "namespaces", Stored) or ()
        }
        stored = await self._all("networking.k8s.io/v1", "networkpolicies", NetworkPolicy)
        nodes = [node_facts(one) for one in await self._all("v1", "nodes", Node) or ()]
        facts = ClusterFacts(
            providers=frozenset(one.provider for one in nodes),
            nodeAddresses=frozenset().union(*(one.addresses for one in nodes)),
        )
        policies = None if stored is None else _by_namespace(stored)
        return Surroundings(labels, policies, facts)

    async def _collections(self) -> Sequence[tuple[Resource, str]]:
        """Resources with the apiVersion that they are read in, owners first."""
        built_in = [(one, f"{one.group}/v1".lstrip("/")) for one in BUILT_IN]
        added = await self._custom(self._wanted.rules.workloads)
        rank = {name: place for place, name in enumerate(_LAST, 1)}
        return sorted((*built_in, *added), key=lambda one: rank.get(one[0].resource, 0))

    async def _custom(self, workloads: Sequence[CustomWorkload]) -> list[tuple[Resource, str]]:
        if not workloads:
            return []
        answer = _decode("/apis", await self._connection.read("/apis"), _Groups)
        served = {one.name: one.preferredVersion.groupVersion for one in answer.groups}
        return [(custom(one), served[one.group]) for one in workloads if served.get(one.group)]

    async def _objects(
        self, resource: Resource, version: str
    ) -> AsyncIterator[tuple[Stored, msgspec.Raw]]:
        view = _VIEWS.get(resource.resource, Stored)
        async for body in self._read(version, resource.resource, resource.namespaced):
            try:
                yield msgspec.json.decode(body, type=view), body
            except (msgspec.DecodeError, RecursionError):
                # Of a custom resource without a schema; the gate says what is wrong with it.
                yield Stored(), body

    def _judge(self, resource: Resource, version: str, stored: Stored, body: msgspec.Raw) -> None:
        meta = stored.metadata
        if isinstance(stored, StoredService) and stored.selects:
            self._selecting.add(f"{meta.namespace}/{meta.name}")
        excluded = (meta.namespace or meta.name) in self._excluded
        verdict = Verdict() if excluded else self._verdict(resource, stored, body)
        findings = self._folding.own(stored, verdict.findings)
        if findings is None:
            return
        of = (version, resource.kind, meta.namespace, meta.name)
        self._results[meta.uid or f"{resource.resource} {len(self._results)}"] = Result(
            file="",
            line=0,
            apiVersion=version,
            kind=resource.kind,
            namespace=meta.namespace,
            name=meta.name,
            status="excluded" if excluded else status_of(findings),
            findings=tuple(found(one, of) for one in findings),
            created=meta.creationTimestamp,
        )

    def _verdict(self, resource: Resource, stored: Stored, body: msgspec.Raw) -> Verdict:
        meta = stored.metadata
        request = Request(
            operation=CREATE,
            group=resource.group,
            resource=resource.resource,
            kind=resource.kind,
            namespace=meta.namespace if resource.namespaced else meta.name,
            name=meta.name,
            user=self._provenance.author(resource, stored),
        )
        return self._gate.validate(Review(request, body))

    async def _all(self, version: str, resource: str, view: type[T]) -> list[T] | None:
        """All of a collection; None where it may not be read."""
        unread = len(self._unread)
        where = f"{version} {resource}"
        namespaced = resource == "networkpolicies"
        bodies = [body async for body in self._read(version, resource, namespaced)]
        decoded = [_decode(where, body, view) for body in bodies]
        return None if len(self._unread) > unread else decoded

    async def _read(
        self, version: str, resource: str, namespaced: bool
    ) -> AsyncIterator[msgspec.Raw]:
        """The objects of a collection in the namespace that is wanted, or in all."""
        only, params = self._wanted.namespace, {}
        if only and resource == "namespaces":
            params = {"fieldSelector": f"metadata.name={only}"}
        where = path(version, resource, only if namespaced else "")
        number = 0
        try:
            async for page in pages(self._connection, where, params):
                for body in page:
                    yield body
                number += len(page)
                self._progress(resource, number)
        except NotFoundError:
            return  # a custom resource that is not served (any more)
        except RefusedError as error:
            if error.status != 403:
                raise
            message = f"{resource} may not be read, and were not judged: {error}"
            unread = Unreadable(where, None, message)
            if unread not in self._unread:
                self._unread.append(unread)


def _by_namespace(stored: Sequence[NetworkPolicy]) -> Mapping[str, tuple[NetworkPolicy, ...]]:
    policies: dict[str, list[NetworkPolicy]] = defaultdict(list)
    for one in stored:
        policies[(one.metadata and one.metadata.namespace) or ""].append(one)
    return {namespace: tuple(some) for namespace, some in policies.items()}


def _decode(where: str, body: bytes | msgspec.Raw, view: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=view)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{where}: not what an API server answers: {error}") from error
