"""Writing objects: server-side apply, JSON patch, merge patch. One request each, never repeated.

Knows no kind in particular and decides nothing: what is written, whether it may be forced and
when to try again is the caller's. A RefusedError says what the API server said: ConflictError
(409), NotFoundError (404), 422 for what is invalid, 429 and 5xx with `retry_after`; its
`reasons` tell a FieldManagerConflict from an object that has changed meanwhile, and a
NamespaceTerminating from a missing right.

Needs patch on what it changes, and create as well on what it applies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from webhook.cluster.connection import MERGE_PATCH, Connection

FIELD_MANAGER = "netreeve-control"
APPLY = "application/apply-patch+yaml"
"""YAML, of which JSON is a part; the API server has no other name for it."""
JSON_PATCH = "application/json-patch+json"
SECONDS = 10.0
Json = Mapping[str, Any]


def path(api_version: str, resource: str, namespace: str = "", name: str = "") -> str:
    """Where the API server has a collection, or one object of it.

    resource: plural and lower case, as in ``networkpolicies``; ``name`` may be followed by a
    subresource, as in ``web-0/ephemeralcontainers``.
    """
    parts = ["apis" if "/" in api_version else "api", api_version]
    if namespace:
        parts += ["namespaces", namespace]
    return "/" + quote("/".join(part for part in (*parts, resource, name) if part))


class Writer:
    """Changes objects in the name of one field manager; every method answers with the object.

    seconds: for each request.
    """

    def __init__(
        self, connection: Connection, *, manager: str = FIELD_MANAGER, seconds: float = SECONDS
    ) -> None:
        self._connection = connection
        self._manager = manager
        self._seconds = seconds

    async def apply(self, path: str, object: Json, *, force: bool = False) -> bytes:
        """Create the object, or make those fields of it ours that are in `object`.

        Fields that we applied before and leave out now are removed; where nothing changes,
        nothing is written, and resourceVersion stays. A resourceVersion in its metadata must be
        that of the present object (else a ConflictError), and a uid as well (else 422). Raises
        ClusterError; without `force` a ConflictError where a field has another value by another
        manager.
        """
        params = {"force": "true" if force else "false"}
        return await self._patch(path, object, APPLY, params)

    async def json_patch(self, path: str, operations: Sequence[Json]) -> bytes:
        """Change an object by RFC 6902; one that does not apply is a RefusedError of 422."""
        return await self._patch(path, operations, JSON_PATCH)

    async def merge_patch(self, path: str, patch: Json) -> bytes:
        """Change an object by RFC 7386; with its resourceVersion in there, only that one."""
        return await self._patch(path, patch, MERGE_PATCH)

    async def _patch(
        self, path: str, body: Json | Sequence[Json], kind: str, params: Mapping[str, str] = {}
    ) -> bytes:
        return await self._connection.write(
            "PATCH",
            path,
            msgspec.json.encode(body),
            # A field that the API server does not know would else be left out in silence, and
            # what a NetworkPolicy does not say, it allows. (Apply refuses it anyway, by 500.)
            params={"fieldManager": self._manager, "fieldValidation": "Strict", **params},
            content_type=kind,
            seconds=self._seconds,
        )
