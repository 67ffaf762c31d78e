"""The NetworkPolicies of all namespaces, as texts that are decoded when somebody asks.

Decoded they would take up to seven times the memory, and whoever may write NetworkPolicies in one
namespace could take that from every server at once. So they stay texts, and what a namespace, or
all of them, have beyond a limit is not held. Reads; decides nothing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from policies.network_policies.length import TOO_LONG
from policies.network_policies.managed import DEFAULT_DENY, NAMESPACE_UID, OUR_LABELS, covers
from policies.network_policies.views import NetworkPolicy, NetworkPolicySpec
from policies.objects import Labels, ObjectMeta
from webhook.cluster.connection import Connection
from webhook.cluster.objects import AnnotatedMetadata, Object
from webhook.cluster.reflector import Reflector

MIB = 1024 * 1024
MOST_OF_NAMESPACE = 2 * MIB
"""Bytes of specs; the entries that are looked at together (length.py) take less."""
MOST = 96 * MIB
"""Of all namespaces: a quarter of a million policies as people write them."""
LONGEST_BASELINE = 1024
"""Of the spec of a default-deny, which allows nothing."""

log = logging.getLogger(__name__)
_SPEC = msgspec.json.Decoder(NetworkPolicySpec | None)


class StoredPolicy(Object, gc=False):
    """A NetworkPolicy, its spec not decoded."""

    metadata: AnnotatedMetadata
    spec: msgspec.Raw = msgspec.Raw(b"null")


class _Text:
    """A spec as JSON; counts for its namespace for as long as anybody holds it."""

    __slots__ = ("_held", "_namespace", "json")

    def __init__(self, json: bytes, namespace: str, held: Counter[str]) -> None:
        self.json = json
        self._namespace, self._held = namespace, held
        self._count(len(json))

    def __del__(self) -> None:
        self._count(-len(self.json))

    def _count(self, size: int) -> None:
        self._held[""] += size
        self._held[self._namespace] += size
        if not self._held[self._namespace]:
            del self._held[self._namespace]


class _Kept(NamedTuple):
    """What is kept of a policy. text: None where there is no room for it.

    covers: the uid of the namespace whose baseline ends with it, "" for none.
    """

    metadata: ObjectMeta
    covers: str
    text: _Text | None


class Policies:
    """Kept up to date by the reflector, which somebody else runs."""

    def __init__(self, connection: Connection) -> None:
        self.reflector: Reflector[_Kept] = Reflector(
            connection, "/apis/networking.k8s.io/v1/networkpolicies", StoredPolicy, self._keep
        )
        self.reflector.subscribe(self._changed)
        self._of: dict[str, dict[str, _Kept]] = {}
        self._held: Counter[str] = Counter()
        """Bytes of texts by namespace, and under "" of all of them."""
        self._last: tuple[str, tuple[NetworkPolicy, ...]] = ("", ())
        """The namespace that was asked about last, and the answer: the next is often the same."""

    @property
    def held(self) -> int:
        """Bytes of texts."""
        return self._held[""]

    def of(self, namespace: str) -> tuple[NetworkPolicy, ...]:
        """The policies of a namespace; `TOO_LONG` stands for those that are not held."""
        if self._last[0] != namespace:
            self._last = namespace, self._decoded(namespace)
        return self._last[1]

    def cover(self, namespace: str, uid: str) -> bool:
        """Whether the last policy of its baseline stands in the namespace with this uid."""
        last = self._of.get(namespace, {}).get(DEFAULT_DENY)
        return last is not None and last.covers == uid != ""

    def _decoded(self, namespace: str) -> tuple[NetworkPolicy, ...]:
        kept = self._of.get(namespace, {}).values()
        try:
            found = [
                NetworkPolicy(metadata=one.metadata, spec=_SPEC.decode(one.text.json))
                for one in kept
                if one.text is not None
            ]
        except (msgspec.DecodeError, RecursionError):
            log.exception("the NetworkPolicies of namespace %s cannot be read", namespace)
            return (TOO_LONG,)
        return tuple(found) if len(found) == len(kept) else (*found, TOO_LONG)

    def _keep(self, stored: StoredPolicy) -> _Kept:
        meta, spec = stored.metadata, bytes(stored.spec)
        metadata = ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            labels=_only(meta.labels, OUR_LABELS),
            annotations=_only(meta.annotations, (NAMESPACE_UID,)),
        )
        old = self.reflector.items.get(stored.key)
        if old is not None and old.text is not None and old.text.json == spec:
            text: _Text | None = old.text
        else:
            text = self._text(spec, meta.namespace)
        return _Kept(metadata, _covered(metadata, spec), text)

    def _text(self, spec: bytes, namespace: str) -> _Text | None:
        size = len(spec)
        if self._held[namespace] + size > MOST_OF_NAMESPACE or self._held[""] + size > MOST:
            return None
        return _Text(spec, namespace, self._held)

    def _changed(self, keys: Collection[str]) -> None:
        self._last = ("", ())
        for key in keys:
            namespace, _, name = key.partition("/")
            if (policy := self.reflector.items.get(key)) is not None:
                self._of.setdefault(namespace, {})[name] = policy
            elif (known := self._of.get(namespace)) is not None:
                known.pop(name, None)
                if not known:
                    del self._of[namespace]


def _only(found: Labels | None, names: Collection[str]) -> Labels | None:
    kept = {name: found[name] for name in names if name in found} if found else None
    return kept or None


def _covered(metadata: ObjectMeta, spec: bytes) -> str:
    """The uid of the namespace that a policy is the end of a baseline for."""
    if metadata.name != DEFAULT_DENY or len(spec) > LONGEST_BASELINE:
        return ""
    uid = (metadata.annotations or {}).get(NAMESPACE_UID, "")
    try:
        policy = NetworkPolicy(metadata=metadata, spec=_SPEC.decode(spec))
    except (msgspec.DecodeError, RecursionError):
        return ""
    return uid if covers(policy, uid) else ""
