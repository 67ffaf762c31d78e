"""The stamp: what the gate writes beside a claim when it is granted, and nobody else can.

HMAC-SHA256 over the claim, where it was granted, by whom and when; JSON, so that it can be read.
Owns its format. Which workload a stamp may stand for is judged in `owners`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

import msgspec

from webhook.exemptions.claim import LONGEST, STAMP, Claim

SHORTEST_KEY = 32
"""Bytes."""
MOST_GROUPS, LONGEST_GROUPS = 20, 1024
EVERYBODY = "system:authenticated"
"""A group that says nothing of anybody."""
_CONTEXT = "netreeve.io/exempt-stamp"


class Keys(msgspec.Struct, frozen=True):
    """current: stamps are written by it. previous: during a rotation, stamps by it count too."""

    current: bytes
    previous: bytes | None = None

    def __post_init__(self) -> None:
        for key in (self.current, self.previous):
            if key is not None and len(key) < SHORTEST_KEY:
                raise ValueError(f"must have at least {SHORTEST_KEY} bytes, not {len(key)}")


class KeyRing:
    """Holds the keys in force; None until they are known. Swapped, never changed, by its owner."""

    def __init__(self, keys: Keys | None = None) -> None:
        self.keys = keys


class Stamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A granted claim's proof.

    workload: ``Deployment.apps/shop``, or ``Job.batch/backup-*`` where the name was yet to be
    generated. by: user name of who granted it, groups: those of that moment, None when they were
    too many to note. at: RFC 3339. mac: base64url.
    """

    v: Literal[1]
    workload: str
    by: str
    at: str
    groups: tuple[str, ...] | None = ()
    mac: str = ""


_decode = msgspec.json.Decoder(Stamp).decode
_encode = msgspec.json.encode


def seal(
    claim: Claim,
    namespace: str,
    workload: str,
    *,
    by: str,
    groups: Iterable[str],
    now: float,
    keys: Keys,
) -> str:
    """The annotation's text for a claim that somebody grants now."""
    at = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}"
    stamp = Stamp(v=1, workload=workload, by=by, at=at, groups=_noted(groups))
    return _sealed(stamp, claim, namespace, keys)


def reseal(stamp: Stamp, claim: Claim, namespace: str, keys: Keys) -> str:
    """The same grant for a claim within the one it was given for, by the current key."""
    return _sealed(stamp, claim, namespace, keys)


def verify(text: str | None, claim: Claim, namespace: str, keys: Keys | None) -> Stamp | None:
    """The stamp, if the gate wrote it for exactly this claim in this namespace."""
    stamp = None if keys is None else unverified(text)
    if keys is None or stamp is None:
        return None
    content = _content(stamp, claim, namespace)
    for key in (keys.current, keys.previous):
        if key is not None and hmac.compare_digest(_mac(content, key), stamp.mac.encode()):
            return stamp
    return None


def unverified(text: str | None) -> Stamp | None:
    """What a stamp says of itself; it proves nothing."""
    if not text or len(text) > LONGEST[STAMP]:
        return None
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def is_current(stamp: Stamp, claim: Claim, namespace: str, keys: Keys) -> bool:
    """Whether a stamp that verifies does so by the current key."""
    expected = _mac(_content(stamp, claim, namespace), keys.current)
    return hmac.compare_digest(expected, stamp.mac.encode())


def _sealed(stamp: Stamp, claim: Claim, namespace: str, keys: Keys) -> str:
    mac = _mac(_content(stamp, claim, namespace), keys.current).decode()
    return _encode(msgspec.structs.replace(stamp, mac=mac)).decode()


def _content(stamp: Stamp, claim: Claim, namespace: str) -> bytes:
    """What is sealed: a JSON array, so that no two different stamps read alike."""
    reason = hashlib.sha256(claim.reason.encode(errors="replace")).hexdigest()
    return _encode(
        (
            _CONTEXT, stamp.v, namespace, stamp.workload, claim.policies, claim.until, reason,
            claim.ticket, stamp.by, stamp.groups, stamp.at,
        )
    )  # fmt: skip


def _mac(content: bytes, key: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(key, content, "sha256")).rstrip(b"=")


def _noted(groups: Iterable[str]) -> tuple[str, ...] | None:
    """In order, for `netreeve exemptions --recheck`; all or none."""
    noted = tuple(sorted({group for group in groups if group != EVERYBODY}))
    few = len(noted) <= MOST_GROUPS and sum(map(len, noted)) <= LONGEST_GROUPS
    return noted if few else None
