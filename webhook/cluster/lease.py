"""One Lease (coordination.k8s.io/v1): what was seen of it, since when, and changing it.

Decides nothing; `webhook.cluster.election` does. Needs create, get and patch on leases in the
namespace of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from webhook.cluster.connection import MERGE_PATCH, Connection
from webhook.cluster.errors import NotFoundError, ProtocolError
from webhook.cluster.objects import Object

API_VERSION = "coordination.k8s.io/v1"
Json = Mapping[str, Any]
NOBODY = ""
"""The holder of a Lease that was released (as client-go writes it)."""


class Spec(msgspec.Struct, frozen=True):
    holderIdentity: str | None = None
    leaseDurationSeconds: int | None = None
    acquireTime: str | None = None
    renewTime: str | None = None
    leaseTransitions: int | None = None


class LeaseObject(Object):
    spec: Spec | None = None


_LEASE = msgspec.json.Decoder(LeaseObject)


class Lease:
    """The Lease `name` in `namespace` as last seen; every change of it needs what was seen last.

    spec: empty before the first look. since: when we saw it change to that, by `clock`.
    annotations: asked for what its holder has to tell others whenever the Lease is held.
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        name: str,
        clock: Callable[[], float],
        annotations: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.spec = Spec()
        self.since = -math.inf
        self._connection = connection
        self._collection = f"/apis/{API_VERSION}/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._name = name
        self._clock = clock
        self._annotations = annotations
        self._version = ""

    def __str__(self) -> str:
        return self._path

    @property
    def holder(self) -> str:
        return self.spec.holderIdentity or NOBODY

    @property
    def transitions(self) -> int:
        """How often it has changed hands."""
        return self.spec.leaseTransitions or 0

    async def look(self) -> None:
        """Read it. Raises ClusterError, but not when there is none."""
        try:
            self._observe(await self._connection.read(self._path))
        except NotFoundError:
            # Who led by it before it was deleted may lead on, so what was seen stays.
            self._version = ""

    async def hold(self, holder: str, duration: float) -> None:
        """Take it, create it or, for the present holder, renew it.

        Raises ClusterError; ConflictError when it is not any more what was seen last.
        """
        stamp = _time_of_day()
        spec: dict[str, Any] = {
            "holderIdentity": holder,
            "leaseDurationSeconds": math.ceil(duration),
            "renewTime": stamp,
        }
        if holder != self.holder:
            spec["acquireTime"] = stamp
            spec["leaseTransitions"] = self.transitions + 1 if self.spec != Spec() else 0
        metadata = {"annotations": told} if (told := self._annotations()) else {}
        if self._version:
            await self._patch(spec, metadata)
        else:
            # A new object has nothing of the old one, so what is known of that goes into it.
            await self._create({**msgspec.to_builtins(self.spec), **spec}, metadata)

    async def release(self) -> None:
        """Leave it to whoever comes first. Raises as `hold`."""
        await self._patch({"holderIdentity": NOBODY, "renewTime": _time_of_day()}, {})

    async def _create(self, spec: Json, metadata: Json) -> None:
        lease = {
            "apiVersion": API_VERSION,
            "kind": "Lease",
            "metadata": {"name": self._name, **metadata},
            "spec": spec,
        }
        body = msgspec.json.encode(lease)
        self._observe(await self._connection.write("POST", self._collection, body))

    async def _patch(self, spec: Json, metadata: Json) -> None:
        """Leaves the labels and owners that others have given it."""
        seen = {**metadata, "resourceVersion": self._version}
        body = msgspec.json.encode({"metadata": seen, "spec": spec})
        try:
            answer = await self._connection.write(
                "PATCH", self._path, body, content_type=MERGE_PATCH
            )
        except NotFoundError:
            self._version = ""
            raise
        self._observe(answer)

    def _observe(self, answer: bytes) -> None:
        try:
            lease = _LEASE.decode(answer)
        except msgspec.DecodeError as error:
            raise ProtocolError(f"{self}: not what an API server answers: {error}") from error
        self._version = lease.metadata.resourceVersion
        spec = lease.spec or Spec()
        # Not the version: a label that somebody sets is no sign of life of the holder.
        if spec != self.spec:
            self.spec, self.since = spec, self._clock()


def _time_of_day() -> str:
    """For people who read the Lease, and so that every renewal changes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
