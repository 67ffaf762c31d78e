"""What is due next for a CA and its certificate: rotation as a function of what is seen and when.

Authorities are a row, the newest first, and all of them are published. The newest that every
webhook configuration carries signs; until then the one before it does. So a new CA is trusted
everywhere before anybody serves a certificate of it, and an old one until nobody can any more.
`due` says the one next step and `take` does it; who crashes in between, is second, or has a clock
that is off only finds another state. Pure but for fresh keys: nothing is read or written.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from certs.check import problems
from certs.issue import Pair, authority, leaf

COMMON_NAME = "netreeve CA"
MOST_AUTHORITIES = 6
"""More are not added because somebody asks; each costs the API server 600 bytes and no time."""


@dataclass(frozen=True)
class Lives:
    """How long certificates are good for; both are renewed after two thirds of it.

    slack: more than the clocks of a cluster differ, and than a write of the controller takes.
    """

    authority: timedelta = timedelta(days=365)
    leaf: timedelta = timedelta(days=90)
    slack: timedelta = timedelta(days=1)

    def __post_init__(self) -> None:
        if not self.leaf <= self.authority / 3:  # else a CA that is due cuts its leaves short
            raise ValueError(f"a leaf must live no longer than a third of its CA in {self}")


@dataclass(frozen=True)
class Authority:
    """A CA. Its key is empty from when it has signed its last; it is forgotten after ``until``."""

    pair: Pair
    until: datetime | None = None

    @property
    def certificate(self) -> bytes:
        return self.pair.certificate

    @property
    def signs(self) -> bool:
        return bool(self.pair.key)


@dataclass(frozen=True)
class State:
    """What is seen of the certificates of one cluster.

    authorities: newest first. leaf, bundle: what the servers are given, and the authorities
        beside it. served: the leaves (PEM) that servers were seen to serve. live: the CA bundles
        of the configurations, one after the other.
    carried: fingerprints of the authorities that every active configuration has carried for long
        enough that every API server knows; None while none is active, and so nothing can fail.
    renew: the certificate is to be replaced before its time. rotate: the CA is.
    """

    authorities: tuple[Authority, ...] = ()
    leaf: Pair | None = None
    bundle: bytes = b""
    served: frozenset[bytes] = frozenset()
    live: bytes = b""
    carried: frozenset[str] | None = None
    renew: bool = False
    rotate: bool = False


class Step(enum.Enum):
    """What is to be done next."""

    ADD = "a new CA is added"
    RETIRE = "the CA before signs no more"
    ISSUE = "a new certificate is issued"
    PUBLISH = "the servers are told the authorities"
    DROP = "a CA that nobody needs is dropped"


def due(state: State, names: Sequence[str], now: datetime, lives: Lives = Lives()) -> Step | None:
    """The next step; None when there is nothing to do now. names: of the server."""
    newest = state.authorities[0] if state.authorities else None
    if newest is None or not newest.signs or not _valid(newest.certificate, now, lives):
        return Step.ADD
    signer = _signer(state, now, lives)
    if signer is newest and any(one.signs for one in state.authorities[1:]):
        return Step.RETIRE
    if signer is not None and _is_leaf_due(state, signer, names, now, lives):
        return Step.ISSUE
    if state.leaf and state.bundle != bundle(state.authorities):
        return Step.PUBLISH
    if _is_authority_due(state, newest, now):
        return Step.ADD
    return Step.DROP if _droppable(state, now) else None


def take(
    step: Step, state: State, names: Sequence[str], now: datetime, lives: Lives = Lives()
) -> State:
    """The state after a step that is due: other authorities, or another leaf and bundle."""
    row = state.authorities
    if step is Step.ADD:
        fresh = Authority(authority(COMMON_NAME, now=now, life=lives.authority))
        older = (one for one in row if _valid(one.certificate, now, lives))
        kept = (one if one.signs or one.until else _retired(one, now, lives) for one in older)
        lost = _lost(state, now, lives)
        return replace(state, authorities=(fresh, *kept, *lost), rotate=False)
    if step is Step.RETIRE:
        older = (_retired(one, now, lives) if one.signs else one for one in row[1:])
        return replace(state, authorities=(row[0], *older))
    if step is Step.ISSUE:
        signer = _signer(state, now, lives)
        assert signer is not None  # it was due
        pair = leaf(signer.pair, names, now=now, life=lives.leaf)
        return replace(state, leaf=pair, bundle=bundle(row), renew=False)
    if step is Step.PUBLISH:
        return replace(state, bundle=bundle(row))
    gone = _droppable(state, now)
    return replace(state, authorities=tuple(one for one in row if one not in gone))


def bundle(authorities: Iterable[Authority]) -> bytes:
    """What is to be trusted, PEM."""
    return b"".join(one.certificate for one in authorities)


def carry(before: Mapping[str, float], bundles: Sequence[bytes], at: float) -> dict[str, float]:
    """Since when all bundles have had which certificates (by fingerprint), looked at now."""
    common = set.intersection(*(set(fingerprints(one)) for one in bundles)) if bundles else set()
    return {one: before.get(one, at) for one in common}


def fingerprints(pem: bytes) -> list[str]:
    """SHA-256 of each certificate, hexadecimal; [] for what is not PEM."""
    return [one.fingerprint(hashes.SHA256()).hex() for one in certificates(pem)]


def certificates(pem: bytes) -> list[x509.Certificate]:
    """[] for what is not PEM, or cut short."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        return []


def is_issued(certificate: bytes, by: bytes) -> bool:
    """Whether the first certificate was signed by the key of another."""
    found, issuers = certificates(certificate), certificates(by)
    try:
        found[0].verify_directly_issued_by(issuers[0])
    except (IndexError, ValueError, TypeError, InvalidSignature):
        return False
    return True


def renewal(certificate: bytes) -> datetime:
    """When two thirds of its life are over. Raises ValueError when it cannot be read."""
    found = x509.load_pem_x509_certificate(certificate)
    start, end = found.not_valid_before_utc, found.not_valid_after_utc
    return start + (end - start) * 2 / 3


def _signer(state: State, now: datetime, lives: Lives) -> Authority | None:
    """Who may sign: somebody everybody trusts; anybody, where no handshake can succeed anyway."""
    usable = [one for one in state.authorities if one.signs and _valid(one.certificate, now, lives)]
    if state.carried is not None and _is_anything_to_lose(state, now, lives):
        usable = [one for one in usable if _fingerprint(one) in state.carried]
    return usable[0] if usable else None


def _is_anything_to_lose(state: State, now: datetime, lives: Lives) -> bool:
    """Whether a server may serve what the configurations trust, or will when they are repaired."""
    return any(
        _valid(leaf, now, lives) and is_issued(leaf, one.certificate)
        for leaf in _leaves(state)
        for one in state.authorities
    )


def _leaves(state: State) -> frozenset[bytes]:
    """What servers serve, or will."""
    return state.served | ({state.leaf.certificate} if state.leaf else set())


def _is_leaf_due(
    state: State, signer: Authority, names: Sequence[str], now: datetime, lives: Lives
) -> bool:
    if state.leaf is None or state.renew:
        return True
    pair, at = state.leaf, now
    if _valid(pair.certificate, now, lives):
        at = max(now, certificates(pair.certificate)[0].not_valid_before_utc)
    wrong = (
        problems(pair.certificate, pair.key, at=at, name=name, authorities=signer.certificate)
        for name in names
    )
    return any(wrong) or now >= renewal(pair.certificate)


def _is_authority_due(state: State, newest: Authority, now: datetime) -> bool:
    """One after the other: not before the newest has signed what the servers are given."""
    if state.leaf is None or not is_issued(state.leaf.certificate, newest.certificate):
        return False
    wanted = state.rotate and len(state.authorities) < MOST_AUTHORITIES
    return wanted or now >= renewal(newest.certificate)


def _droppable(state: State, now: datetime) -> list[Authority]:
    """Those of which no certificate can be valid any more, nor is one served."""
    return [
        one
        for one in state.authorities[1:]
        if not one.signs
        and one.until is not None
        and now >= one.until
        and not any(is_issued(found, one.certificate) for found in _leaves(state))
    ]


def _lost(state: State, now: datetime, lives: Lives) -> list[Authority]:
    """Authorities that are not ours any more, and have signed what is in use: still trusted."""
    known = {_fingerprint(one) for one in state.authorities}
    found = []
    for one in dict.fromkeys(certificates(state.bundle) + certificates(state.live)):
        pem = one.public_bytes(Encoding.PEM)
        used = any(is_issued(leaf, pem) for leaf in _leaves(state))
        if used and fingerprints(pem)[0] not in known and _valid(pem, now, lives):
            found.append(_retired(Authority(Pair(pem, b"")), now, lives))
    return found


def _retired(one: Authority, now: datetime, lives: Lives) -> Authority:
    """Its last certificate may have been issued just now, by a clock that is ahead of ours."""
    return Authority(Pair(one.certificate, b""), now + lives.leaf + lives.slack)


def _valid(certificate: bytes, now: datetime, lives: Lives) -> bool:
    """Readable and in its time; who made it may have had a clock ahead of ours."""
    found = certificates(certificate)
    if not found:
        return False
    return found[0].not_valid_before_utc - lives.slack <= now < found[0].not_valid_after_utc


def _fingerprint(one: Authority) -> str:
    return next(iter(fingerprints(one.certificate)), "")
