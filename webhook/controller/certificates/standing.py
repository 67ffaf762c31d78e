"""How the certificates of an installation stand, from what is stored: for people, without keys.

Pure; who reads the Secrets and configurations is the command's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from certs.plan import certificates, fingerprints, is_issued, renewal
from webhook.controller.certificates.secrets import (
    CA,
    STAMP,
    TLS,
    Held,
    is_managed,
    read_authorities,
    read_pair,
)
from webhook.controller.certificates.wanted import bundles

_PEM = Encoding.PEM
LATE = timedelta(days=1)
"""After the time of a renewal; a controller that works does it within a minute."""
NOT_OURS = "not ours"
Webhooks = Sequence[Mapping[str, Any]]


class Certificate(msgspec.Struct):
    """what: ``authority`` or ``server``. renews, expires: RFC 3339."""

    what: str
    state: str
    fingerprint: str
    renews: str
    expires: str


class Configuration(msgspec.Struct):
    """state: ``active``, ``empty`` or ``missing``. carries: fingerprints of every webhook's CAs."""

    resource: str
    state: str
    carries: list[str] = []


class Standing(msgspec.Struct):
    """stampKeys: how many are accepted. rotating: what is asked for or under way."""

    certificates: list[Certificate]
    configurations: list[Configuration]
    stampKeys: int
    rotating: list[str]
    problems: list[str]


def standing(
    held: Mapping[str, Held], live: Mapping[str, Webhooks | None], now: datetime
) -> Standing:
    """held: the Secrets that exist, by name. live: webhooks by resource; None: no such object."""
    found = [*_authorities(held), *_server(held)]
    configurations = [_configuration(resource, one) for resource, one in live.items()]
    problems = [*_expiring(found, now), *_uncarried(held, configurations)]
    stamp = held.get(STAMP)
    return Standing(
        found, configurations, len(stamp.data) if stamp else 0, list(_rotating(held)), problems
    )


def _authorities(held: Mapping[str, Held]) -> Iterator[Certificate]:
    secret = held.get(CA)
    if secret is None or not is_managed(secret):
        tls = held.get(TLS)
        for foreign in certificates(tls.data.get("ca.crt", b"")) if tls else ():
            yield _certificate("authority", NOT_OURS, foreign.public_bytes(_PEM))
        return
    row = read_authorities(secret.data)
    signing = [one for one in row if one.signs]
    for one in row:
        state = f"trusted until {_text(one.until)}" if one.until else "trusted"
        if one.signs:
            state = "signs" if one is signing[-1] else "will sign"
        yield _certificate("authority", state, one.certificate)


def _server(held: Mapping[str, Held]) -> Iterator[Certificate]:
    pair = read_pair(held[TLS].data) if TLS in held else None
    if pair and certificates(pair.certificate):
        state = "given to the servers" if is_managed(held.get(CA)) else NOT_OURS
        yield _certificate("server", state, pair.certificate)


def _certificate(what: str, state: str, pem: bytes) -> Certificate:
    end = certificates(pem)[0].not_valid_after_utc
    return Certificate(what, state, fingerprints(pem)[0], _text(renewal(pem)), _text(end))


def _configuration(resource: str, live: Webhooks | None) -> Configuration:
    if not live:
        return Configuration(resource, "missing" if live is None else "empty")
    common = set.intersection(*(set(fingerprints(one)) for one in bundles(live)))
    return Configuration(resource, "active", sorted(common))


def _rotating(held: Mapping[str, Held]) -> Iterator[str]:
    texts = {CA: "a new CA", TLS: "a new certificate", STAMP: "a new stamp key"}
    for name, secret in held.items():
        if secret.asked:
            yield f"{texts[name]} is asked for"
    ca = held.get(CA)
    if ca and sum(one.signs for one in read_authorities(ca.data)) > 1:
        yield "a new CA signs once the configurations have carried it for long enough"


def _expiring(found: Sequence[Certificate], now: datetime) -> Iterator[str]:
    for one in found:
        if datetime.fromisoformat(one.expires) <= now:
            yield f"the {one.what} {one.fingerprint[:12]} has expired: is a controller running?"
        elif not one.state.startswith(("trusted", NOT_OURS)) and (
            datetime.fromisoformat(one.renews) + LATE <= now
        ):
            yield (
                f"the {one.what} {one.fingerprint[:12]} should have been renewed at {one.renews}: "
                "is a controller running?"
            )


def _uncarried(held: Mapping[str, Held], configurations: Sequence[Configuration]) -> Iterator[str]:
    """API servers verify by what the configurations carry."""
    tls = held.get(TLS)
    pair = read_pair(tls.data) if tls else None
    if tls is None or pair is None:
        yield f"there is no certificate for the servers: the Secret {TLS} is missing or empty"
        return
    trusted = certificates(tls.data.get("ca.crt", b""))
    issuers = {
        fingerprints(pem)[0]
        for pem in (one.public_bytes(_PEM) for one in trusted)
        if is_issued(pair.certificate, pem)
    }
    for one in configurations:
        if one.state == "empty":
            yield f"{one.resource}: empty, no request reaches Netreeve by it yet"
        elif one.state == "missing":
            yield f"{one.resource}: does not exist"
        elif not issuers & set(one.carries):
            yield f"{one.resource}: does not carry the CA of the servers' certificate"


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
