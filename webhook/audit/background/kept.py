"""A collection that is followed, and judged object by object as it changes.

Nothing of an object stays in memory but where it came from and what was found in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from webhook.admission.verdict import Finding
from webhook.audit.live.fold import Folding
from webhook.audit.live.judging import Judge, Kind
from webhook.audit.live.stored import Metadata, OwnerReference, Stored, StoredService
from webhook.cluster.apply import path
from webhook.cluster.connection import Connection
from webhook.cluster.reflector import Reflector

MOST_FINDINGS = 50
"""Kept of one object; more would only repeat what is wrong with it."""


class Seen(NamedTuple):
    """An object as it arrives."""

    stored: Stored
    body: msgspec.Raw

    @property
    def key(self) -> str:
        return self.stored.key

    @property
    def metadata(self) -> Metadata:
        return self.stored.metadata


class Kept(NamedTuple):
    """What is left of an object. Equal ones are the same to every report."""

    uid: str
    namespace: str
    name: str
    created: str
    owner: tuple[str, str] | None
    findings: tuple[Finding, ...]
    selects: bool = False

    @property
    def stored(self) -> Stored:
        """As much as a report needs."""
        owner = self.owner and OwnerReference(kind=self.owner[0], uid=self.owner[1])
        if owner:
            owner.controller = True
        metadata = Metadata(
            name=self.name,
            namespace=self.namespace,
            uid=self.uid,
            creationTimestamp=self.created,
            ownerReferences=[owner] if owner else None,
        )
        return Stored(metadata)


class _Decoder(NamedTuple):
    kind: Kind

    def decode(self, body: msgspec.Raw, /) -> Seen:
        return Seen(self.kind.read(body), body)


class Followed:
    """One collection. judge: as it is at the moment; judged: told of every verdict."""

    def __init__(
        self,
        connection: Connection,
        kind: Kind,
        judge: Callable[[], Judge],
        judged: Callable[[], None],
    ) -> None:
        self.kind = kind
        self._judge = judge
        self._judged = judged
        where = path(kind.version, kind.resource.resource)
        self.reflector = Reflector(connection, where, _Decoder(kind), self.keep)

    def keep(self, seen: Seen) -> Kept:
        """What is left of an object that has come or changed."""
        meta = seen.metadata
        findings = self._judge().findings(self.kind, seen.stored, seen.body)
        self._judged()
        owner = meta.controller
        return Kept(
            uid=meta.uid,
            namespace=meta.namespace,
            name=meta.name,
            created=meta.creationTimestamp,
            owner=(owner.kind, owner.uid) if owner else None,
            findings=findings[:MOST_FINDINGS],
            selects=isinstance(seen.stored, StoredService) and seen.stored.selects,
        )


def rows(followed: Iterable[Followed]) -> Iterator[tuple[Kind, Stored, tuple[Finding, ...], int]]:
    """What a report shows: objects, those made from them folded in, and how many of those."""
    folding = Folding()
    found = [
        (one.kind, stored, own)
        for one in followed
        for kept in one.reflector.items.values()
        if (own := folding.own(stored := kept.stored, kept.findings)) is not None
    ]
    for kind, stored, own in found:
        yield kind, stored, own, folding.folded[stored.metadata.uid]
