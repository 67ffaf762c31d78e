"""Which collections of the API an audit reads, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from policies.resources import BUILT_IN, custom
from policies.workloads import CustomWorkload
from webhook.audit.live.judging import Kind
from webhook.cluster.connection import Connection
from webhook.cluster.errors import ProtocolError

_LAST = ("cronjobs", "jobs", "replicasets", "pods")
"""Owners before what they own, so that it can be folded into them."""


class _Version(msgspec.Struct):
    groupVersion: str = ""


class _Group(msgspec.Struct):
    name: str = ""
    preferredVersion: _Version = msgspec.field(default_factory=_Version)


class _Groups(msgspec.Struct):
    groups: list[_Group] = []


async def collections(
    connection: Connection, workloads: Sequence[CustomWorkload]
) -> tuple[Kind, ...]:
    """Every kind that policies judge, owners first; custom ones as far as they are served.

    Raises ClusterError.
    """
    kinds = [Kind(one, f"{one.group}/v1".lstrip("/")) for one in BUILT_IN]
    if workloads:
        served = await _served(connection)
        kinds += [
            Kind(custom(one), version) for one in workloads if (version := served.get(one.group))
        ]
    rank = {name: place for place, name in enumerate(_LAST, 1)}
    return tuple(sorted(kinds, key=lambda one: rank.get(one.resource.resource, 0)))


async def _served(connection: Connection) -> dict[str, str]:
    """The preferred version of each group."""
    try:
        answer = msgspec.json.decode(await connection.read("/apis"), type=_Groups)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"/apis: not what an API server answers: {error}") from error
    return {one.name: one.preferredVersion.groupVersion for one in answer.groups}
