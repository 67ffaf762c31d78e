"""Writes what the audit in the background has to say, and nothing that is there already.

Needs get and patch on the ConfigMap, create on ConfigMaps in its namespace, and for reports list,
create and patch on them. Deletes nothing: a report of a namespace that has become clean is empty.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from webhook.audit.background.written import (
    APIS,
    HASH,
    NAME,
    Json,
    config_map,
    empty,
    reports,
)
from webhook.audit.findings import Report
from webhook.audit.reports.policyreport import MANAGED, Api
from webhook.cluster.apply import Writer, path
from webhook.cluster.connection import Connection
from webhook.cluster.errors import NotFoundError, RefusedError
from webhook.cluster.lists import Lists

MANAGER = "netreeve-audit"


class _Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    annotations: dict[str, str] = {}


class _Stored(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _Group(msgspec.Struct):
    name: str = ""


class _Groups(msgspec.Struct):
    groups: list[_Group] = []


class Reporter:
    """home: the namespace of the ConfigMap."""

    def __init__(self, connection: Connection, home: str) -> None:
        self._connection = connection
        self._home = home
        self._writer = Writer(connection, manager=MANAGER)
        self._hashes: dict[str, str] = {}
        """Of everything of ours that is there, by path."""
        self._looked: set[Api | None] = set()
        self.writes: Counter[tuple[str, ...]] = Counter()
        """By kind and result."""

    async def write(self, report: Report, choice: str) -> None:
        """Raises ClusterError; what was written before that stays and counts."""
        api = await self._api(choice)
        await self._look(api)
        await self._put(config_map(report, self._home))
        if api is None:
            return
        wanted = {_path(one, api): one for one in reports(report, api)}
        for one in wanted.values():
            await self._put(one, api)
        prefix = f"/apis/{api.version}/"
        for where in sorted(self._hashes.keys() - wanted.keys()):
            if where.startswith(prefix):
                await self._put(_emptied(api, where), api)

    async def _api(self, choice: str) -> Api | None:
        if choice in APIS:
            return APIS[choice]
        if choice == "none":
            return None
        served = msgspec.json.decode(await self._connection.read("/apis"), type=_Groups)
        names = {one.name for one in served.groups}
        return next((api for api in APIS.values() if api.version.split("/")[0] in names), None)

    async def _look(self, api: Api | None) -> None:
        """What an earlier process has written, once."""
        if api in self._looked:
            return
        where = path("v1", "configmaps", self._home, NAME)
        try:
            body = await self._connection.read(where)
            self._hashes[where] = _hash(msgspec.json.decode(body, type=_Stored))
        except NotFoundError:
            pass
        for kind in (api.namespaced, api.cluster) if api else ():
            assert api is not None
            lists = Lists(self._connection)
            params = {"labelSelector": MANAGED}
            for one in await lists.all(path(api.version, _plural(kind)), _Stored, params) or ():
                if one.metadata.name.startswith(NAME):
                    self._hashes[_place(api, kind, one.metadata)] = _hash(one)
        self._looked.add(api)

    async def _put(self, one: Json, api: Api | None = None) -> None:
        where = _path(one, api)
        digest = one["metadata"]["annotations"][HASH]
        if self._hashes.get(where) == digest:
            return
        try:
            await self._writer.apply(where, one, force=True)
        except NotFoundError:  # the namespace, or the definition of the kind, has gone
            self._hashes.pop(where, None)
            return
        except RefusedError as error:
            self.writes[(one["kind"], "refused")] += 1
            if "NamespaceTerminating" in error.reasons:
                return
            raise
        self.writes[(one["kind"], "written")] += 1
        self._hashes[where] = digest


def _emptied(api: Api, where: str) -> Json:
    """The report at a path, of a namespace in which nothing is found any more."""
    *_, name = parts = where.split("/")
    namespace = parts[parts.index("namespaces") + 1] if "namespaces" in parts else ""
    return empty(api, namespace, name)


def _hash(stored: _Stored) -> str:
    return stored.metadata.annotations.get(HASH, "")


def _plural(kind: str) -> str:
    return f"{kind.lower()}s"


def _path(one: Json, api: Api | None) -> str:
    meta = one["metadata"]
    if api is None or one["kind"] == "ConfigMap":
        return path("v1", "configmaps", meta["namespace"], meta["name"])
    metadata = _Metadata(meta["name"], meta.get("namespace", ""))
    return _place(api, one["kind"], metadata)


def _place(api: Api, kind: str, meta: _Metadata) -> str:
    return path(api.version, _plural(kind), meta.namespace, meta.name)
