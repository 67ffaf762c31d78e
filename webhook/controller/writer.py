"""What the controller writes: policies, gates, statuses and labels, one request each.

Deletes nothing and decides nothing; every method raises ClusterError.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any

import msgspec

from policies.baseline.objects import Namespace
from policies.network_policies.managed import BASELINE, STATUS
from webhook.cluster import apply
from webhook.cluster.apply import FIELD_MANAGER, path
from webhook.cluster.connection import Connection
from webhook.cluster.errors import ClusterError, NotFoundError, RefusedError
from webhook.controller.views import GATE, Known, StoredNamespace, Waiting

POLICIES = ("networking.k8s.io/v1", "networkpolicies")
EVERY_FIELD: Mapping[str, Any] = {"ingress": [], "egress": []}
"""What is not applied is not taken back: rules that somebody added are, if none are applied."""
Json = Mapping[str, Any]


class Writer:
    """writes: how often what was written, by (kind, result): for metrics."""

    def __init__(self, connection: Connection) -> None:
        self.writes: Counter[tuple[str, ...]] = Counter()
        self._connection = connection
        self._api = apply.Writer(connection)

    async def create(self, policy: Json) -> None:
        """A NetworkPolicy that is not there. Raises ConflictError when it is, whosever it is.

        Not by server-side apply: that would change one that somebody has just made.
        """
        where = path(*POLICIES, policy["metadata"]["namespace"])
        params = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        body = msgspec.json.encode(policy)
        made = self._connection.write("POST", where, body, params=params, seconds=apply.SECONDS)
        await self._count("policy", made)

    async def repair(self, policy: Json) -> None:
        """A NetworkPolicy of ours that is not as it should be; labels of others on it stay."""
        metadata = policy["metadata"]
        where = path(*POLICIES, metadata["namespace"], metadata["name"])
        whole = {**policy, "spec": {**EVERY_FIELD, **policy["spec"]}}
        await self._count("policy", self._api.apply(where, whole, force=True))

    async def release(self, namespace: str, pod: Waiting) -> None:
        """Take our gate from a pod, if this pod has it there; if not, a watch will say more."""
        gate = f"/spec/schedulingGates/{pod.place}"
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": pod.uid},
            {"op": "test", "path": f"{gate}/name", "value": GATE},
            {"op": "remove", "path": gate},
        ]
        where = path("v1", "pods", namespace, pod.name)
        try:
            await self._count("gate", self._api.json_patch(where, operations))
        except NotFoundError:
            return
        except RefusedError as error:
            if error.status != 422:
                raise

    async def annotate(self, known: Known, status: str | None) -> None:
        """Set the status, or take it away. Raises ConflictError where the namespace has changed.

        What the status remembers must never be written beside another label than it was read with.
        """
        await self._patch_namespace(known, "status", {"annotations": {STATUS: status}})

    async def relabel(self, known: Known, baseline: str) -> None:
        """Put the namespace under a baseline. Raises ConflictError where it has changed."""
        await self._patch_namespace(known, "label", {"labels": {BASELINE: baseline}})

    async def _patch_namespace(self, known: Known, kind: str, metadata: Json) -> None:
        patch = {"metadata": {**metadata, "resourceVersion": known.version}}
        where = path("v1", "namespaces", name=known.namespace.name)
        await self._count(kind, self._api.merge_patch(where, patch))

    async def is_current(self, namespace: Namespace) -> bool:
        """Whether the namespace is still the one that is known; asked of the API server."""
        try:
            answer = await self._connection.read(path("v1", "namespaces", name=namespace.name))
        except NotFoundError:
            return False
        found = msgspec.json.decode(answer, type=StoredNamespace).metadata
        return found.uid == namespace.uid and (found.labels or {}) == namespace.labels

    async def _count(self, kind: str, request: Coroutine[Any, Any, bytes]) -> None:
        result = "failure"
        try:
            await request
            result = "success"
        finally:
            self.writes[kind, result] += 1


def is_ending(error: ClusterError) -> bool:
    """Whether a namespace refuses because it is being deleted, or is gone."""
    return isinstance(error, NotFoundError) or (
        isinstance(error, RefusedError) and "NamespaceTerminating" in error.reasons
    )
