"""The Secrets of ours: followed, read as what they mean, and written only as they were seen.

Owns their layout. ``netreeve-ca``: ``ca.crt`` and ``ca.key`` of the newest CA, and those before it
as ``old-1.crt`` and so on, with ``old-1.key`` while it may sign and ``old-1.until`` from then on.
``netreeve-tls``: ``tls.crt``, ``tls.key`` and, in ``ca.crt``, what is to be trusted.
``netreeve-stamp``: ``current`` and ``previous``, the keys that stamp exemptions.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from certs.check import Fault, problems
from certs.issue import Pair
from certs.plan import Authority, certificates
from webhook.cluster.apply import Writer, path
from webhook.cluster.connection import Connection
from webhook.cluster.objects import AnnotatedMetadata, Object
from webhook.cluster.reflector import Reflector

CA, TLS, STAMP = "netreeve-ca", "netreeve-tls", "netreeve-stamp"
ROTATE = "netreeve.io/rotate"
"""Annotation by which people ask for a new CA, certificate or key; it goes when that is done."""
STAMP_BYTES = 32
TIME = "%Y-%m-%dT%H:%M:%SZ"
MANAGED_BY = {"app.kubernetes.io/managed-by": "netreeve", "app.kubernetes.io/name": "netreeve"}
_TYPES = {TLS: "kubernetes.io/tls"}
Data = Mapping[str, bytes]


class StoredSecret(Object):
    metadata: AnnotatedMetadata
    data: dict[str, str] | None = None


class Held(NamedTuple):
    """A Secret as it was last seen. asked: somebody wants its content replaced."""

    version: str
    data: Data
    asked: bool


class Secrets:
    """Copies that `run` keeps up to date. touched: called after every change."""

    def __init__(self, connection: Connection, namespace: str, touched: Callable[[], None]) -> None:
        self._connection = connection
        self._writer = Writer(connection)
        self._collection = path("v1", "secrets", namespace)
        self._reflectors = {name: self._reflector(name) for name in (CA, TLS, STAMP)}
        for one in self._reflectors.values():
            one.subscribe(lambda keys: touched())
        self._namespace = namespace

    def _reflector(self, name: str) -> Reflector[Held]:
        only = {"fieldSelector": f"metadata.name={name}"}
        return Reflector(self._connection, self._collection, StoredSecret, held, params=only)

    @property
    def synced(self) -> bool:
        """All are known, or known not to be there."""
        return all(one.synced for one in self._reflectors.values())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for one in self._reflectors.values():
                group.create_task(one.run())

    def get(self, name: str) -> Held | None:
        return self._reflectors[name].items.get(f"{self._namespace}/{name}")

    async def write(self, name: str, data: Data) -> None:
        """Replace its content, or create it. Raises ConflictError when it is not as it was seen,
        ClusterError."""
        before = self.get(name)
        if before is None:
            body = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "labels": MANAGED_BY},
                "type": _TYPES.get(name, "Opaque"),
                "data": _encoded(data),
            }
            await self._connection.write("POST", self._collection, msgspec.json.encode(body))
            return
        gone = dict.fromkeys(name for name in before.data.keys() - data.keys() if _is_ours(name))
        metadata = {"resourceVersion": before.version, "annotations": {ROTATE: None}}
        patch = {"metadata": metadata, "data": {**_encoded(data), **gone}}
        await self._writer.merge_patch(f"{self._collection}/{name}", patch)


def held(secret: StoredSecret) -> Held:
    """What is not base64 is as good as not there."""
    data = {}
    for name, value in (secret.data or {}).items():
        try:
            data[name] = base64.b64decode(value, validate=True)
        except binascii.Error:
            continue
    return Held(
        secret.metadata.resourceVersion, data, ROTATE in (secret.metadata.annotations or {})
    )


def read_authorities(data: Data) -> tuple[Authority, ...]:
    """Newest first; what cannot be read, or has a key of another, is not what it says."""
    old = (name[:-4] for name in data if _is_old(name))
    prefixes = ["ca", *sorted(old, key=lambda name: (len(name), name))]
    found = (_authority(prefix, data) for prefix in prefixes if f"{prefix}.crt" in data)
    return tuple(one for one in found if one is not None)


def write_authorities(authorities: Collection[Authority]) -> dict[str, bytes]:
    """The content of ``netreeve-ca``."""
    data: dict[str, bytes] = {}
    for at, one in enumerate(authorities):
        prefix = f"old-{at}" if at else "ca"
        data[f"{prefix}.crt"] = one.certificate
        if one.signs:
            data[f"{prefix}.key"] = one.pair.key
        if one.until:
            data[f"{prefix}.until"] = one.until.strftime(TIME).encode()
    return data


def read_pair(data: Data) -> Pair | None:
    """The certificate of the servers, None while there is none."""
    certificate, key = data.get("tls.crt"), data.get("tls.key")
    return Pair(certificate, key) if certificate and key else None


def write_pair(pair: Pair, trusted: bytes) -> dict[str, bytes]:
    """The content of ``netreeve-tls``."""
    return {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": trusted}


def next_stamp(before: Held | None) -> Data | None:
    """The content that ``netreeve-stamp`` should have; None when it is as it should be."""
    data = before.data if before else {}
    current = data.get("current", b"")
    if len(current) >= STAMP_BYTES and not (before and before.asked):
        return None
    fresh = {"current": secrets.token_bytes(STAMP_BYTES)}
    return {**fresh, "previous": current} if len(current) >= STAMP_BYTES else {**data, **fresh}


def is_managed(ca: Held | None) -> bool:
    """Whether there is a CA of ours; cert-manager has a Secret of the same name, without ca.key."""
    return ca is not None and "ca.key" in ca.data


def _is_ours(name: str) -> bool:
    """What others have in there may have to stay: a Secret of type kubernetes.io/tls needs it."""
    return name == "previous" or name.startswith(("ca.", "old-"))


def _is_old(name: str) -> bool:
    return name.startswith("old-") and name.endswith(".crt")


def _authority(prefix: str, data: Data) -> Authority | None:
    certificate, key = data[f"{prefix}.crt"], data.get(f"{prefix}.key", b"")
    until = _time(data.get(f"{prefix}.until", b""))
    if not certificates(certificate):
        return None
    if key and not _is_pair(certificate, key):
        key = b""
    return Authority(Pair(certificate, key), until)


def _is_pair(certificate: bytes, key: bytes) -> bool:
    when = certificates(certificate)[0].not_valid_before_utc
    faults = {one.fault for one in problems(certificate, key, at=when)}
    return not faults & {Fault.UNREADABLE, Fault.KEY}


def _time(text: bytes) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.decode()) if text else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None


def _encoded(data: Data) -> dict[str, str]:
    return {name: base64.b64encode(value).decode() for name, value in data.items()}
