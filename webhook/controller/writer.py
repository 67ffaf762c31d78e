"""What the controller writes, one request each: policies, gates, statuses, events. Deletes nothing.

Decides nothing; every method raises ClusterError.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from policies.baseline.grants import Json
from policies.baseline.objects import Namespace
from webhook.cluster.connection import JSON, MERGE_PATCH, Connection
from webhook.cluster.errors import ClusterError, ConflictError, NotFoundError, RefusedError
from webhook.controller.views import GATE, STATUS, StoredNamespace, Waiting

MANAGER = "netreeve-control"
APPLY_PATCH = "application/apply-patch+yaml"  # JSON is YAML
JSON_PATCH = "application/json-patch+json"
BY_US = {"fieldManager": MANAGER}
POLICIES = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"


class Writer:
    """writes: how often what was written, by (kind, result): for metrics."""

    def __init__(self, connection: Connection, identity: str, now: Callable[[], datetime]) -> None:
        self.writes: Counter[tuple[str, ...]] = Counter()
        self._connection = connection
        self._identity = identity
        self._now = now

    def timestamp(self) -> str:
        """RFC 3339, in seconds, as the API server writes it."""
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def create(self, manifest: Json) -> None:
        """A NetworkPolicy that is not there. Raises ConflictError when it is: whoever made it."""
        path = POLICIES.format(manifest["metadata"]["namespace"])
        await self._write("policy", "POST", path, manifest)

    async def repair(self, manifest: Json) -> None:
        """A NetworkPolicy of ours that is not as it should be; others' labels on it stay."""
        metadata = manifest["metadata"]
        path = f"{POLICIES.format(metadata['namespace'])}/{metadata['name']}"
        params = {**BY_US, "force": "true"}
        await self._write(
            "policy", "PATCH", path, manifest, content_type=APPLY_PATCH, params=params
        )

    async def release(self, namespace: str, pod: Waiting) -> None:
        """Take our gate from a pod, if this pod has it there; if not, a watch will say more."""
        gate = f"/spec/schedulingGates/{pod.place}"
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": pod.uid},
            {"op": "test", "path": f"{gate}/name", "value": GATE},
            {"op": "remove", "path": gate},
        ]
        path = f"/api/v1/namespaces/{namespace}/pods/{pod.name}"
        try:
            await self._write("gate", "PATCH", path, patch, content_type=JSON_PATCH)
        except (NotFoundError, ConflictError):
            return
        except RefusedError as error:
            if error.status != 422:
                raise

    async def annotate(self, namespace: Namespace, status: str | None) -> None:
        """Set the status of this very namespace, or take it away."""
        meta: Json = {"uid": namespace.uid, "annotations": {STATUS: status}}
        path = f"/api/v1/namespaces/{namespace.name}"
        await self._write("status", "PATCH", path, {"metadata": meta}, content_type=MERGE_PATCH)

    async def event(self, namespace: Namespace, *, good: bool, reason: str, message: str) -> None:
        """An Event about the namespace, in it: where `kubectl get events -n` shows it."""
        now = self._now().astimezone(UTC)
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{namespace.name[:200]}.{uuid.uuid4().hex[:16]}"},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Namespace",
                "name": namespace.name,
                "namespace": namespace.name,
                "uid": namespace.uid,
            },
            "type": "Normal" if good else "Warning",
            "reason": reason,
            "message": message[:1000],
            "action": "Reconcile",
            "reportingComponent": MANAGER,
            "reportingInstance": self._identity[:128],
            "source": {"component": MANAGER},
            "firstTimestamp": self.timestamp(),
            "lastTimestamp": self.timestamp(),
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "count": 1,
        }
        path = f"/api/v1/namespaces/{namespace.name}/events"
        await self._write("event", "POST", path, event)

    async def is_current(self, namespace: Namespace) -> bool:
        """Whether a namespace of this name is still the same one; asked of the API server."""
        try:
            answer = await self._connection.read(f"/api/v1/namespaces/{namespace.name}")
        except NotFoundError:
            return False
        found = msgspec.json.decode(answer, type=StoredNamespace).metadata
        return found.uid == namespace.uid and (found.labels or {}) == namespace.labels

    async def _write(
        self,
        kind: str,
        method: str,
        path: str,
        body: Any,
        *,
        content_type: str = JSON,
        params: Mapping[str, str] = BY_US,
    ) -> None:
        result = "failure"
        try:
            await self._connection.write(
                method, path, msgspec.json.encode(body), params=params, content_type=content_type
            )
            result = "success"
        finally:
            self.writes[kind, result] += 1


def is_ending(error: ClusterError) -> bool:
    """Whether a namespace refuses because it is being deleted, or is gone."""
    return isinstance(error, NotFoundError) or (
        isinstance(error, RefusedError) and "NamespaceTerminating" in error.reasons
    )
