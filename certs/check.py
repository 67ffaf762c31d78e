"""Is this certificate with this key good to serve at time t, for this name, under these CAs?

The one place that answers it: the server asks before it swaps a certificate in, rotation asks
with a later time to know what is due. Pure: time is an argument, and nothing is read or written.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from certs.issue import general_name


class Fault(enum.Enum):
    """What can be wrong with a certificate, in the order in which it is reported."""

    UNREADABLE = "unreadable"
    KEY = "key does not match"
    NOT_YET = "not yet valid"
    EXPIRED = "expired"
    NAME = "wrong name"
    USAGE = "not for servers"
    CHAIN = "not signed by the CA"


class Problem(NamedTuple):
    """One fault and a sentence on it; the sentence never holds key material."""

    fault: Fault
    text: str


class _UnreadableError(Exception):
    """PEM bytes that hold no certificate or key."""


def problems(
    certificate: bytes,
    key: bytes | None,
    *,
    at: datetime,
    name: str | None = None,
    authorities: bytes | None = None,
) -> list[Problem]:
    """Everything that is wrong with a pair; [] when it is good.

    certificate: PEM, the leaf first, then any intermediates. key: PEM, unencrypted; None: not
        asked.
    at: timezone-aware. name: a DNS name or IP address that clients will ask for; None: any.
    authorities: PEM bundle that must have issued the leaf, directly or through intermediates;
        None: not asked. A CA that has expired issues nothing.
    """
    try:
        chain = _certificates(certificate, "the certificate")
        public = None if key is None else _public_bytes(key)
        roots = None if authorities is None else _certificates(authorities, "the CA bundle")
    except _UnreadableError as error:
        return [Problem(Fault.UNREADABLE, str(error))]
    found = [] if public is None else [*_key(chain[0], public)]
    found += [*_dates(chain[0], at), *_names(chain[0], name)]
    found += _usage(chain[0])
    if roots is not None:
        found += _chain(chain, roots, at)
    return found


def not_after(certificate: bytes) -> datetime:
    """When the leaf expires, UTC. Raises ValueError when it cannot be read."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def _certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
        for certificate in found:
            certificate.extensions  # noqa: B018 - parsed on access, and raises when malformed
    except (ValueError, x509.DuplicateExtension):
        raise _UnreadableError(f"{what} is not PEM, or cut short") from None
    return found


def _public_bytes(key: bytes) -> object:
    try:
        return load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError):  # TypeError: it asks for a password
        raise _UnreadableError("the key is not an unencrypted PEM key, or cut short") from None


def _key(leaf: x509.Certificate, public: object) -> Iterator[Problem]:
    if leaf.public_key() != public:
        yield Problem(Fault.KEY, "the key belongs to another certificate")


def _dates(leaf: x509.Certificate, at: datetime) -> Iterator[Problem]:
    if at < leaf.not_valid_before_utc:
        yield Problem(Fault.NOT_YET, f"valid from {leaf.not_valid_before_utc.isoformat()}")
    if at > leaf.not_valid_after_utc:
        yield Problem(Fault.EXPIRED, f"expired at {leaf.not_valid_after_utc.isoformat()}")


def _names(leaf: x509.Certificate, name: str | None) -> Iterator[Problem]:
    names = _alternative_names(leaf)
    if not names:
        yield Problem(Fault.NAME, "has no Subject Alternative Name; clients ignore the common name")
    elif name is not None and not any(_covers(one, general_name(name)) for one in names):
        yield Problem(Fault.NAME, f"is not for {name}, but for {', '.join(map(_text, names))}")


def _alternative_names(leaf: x509.Certificate) -> Sequence[x509.GeneralName]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(one for one in found.value if isinstance(one, x509.DNSName | x509.IPAddress))


def _covers(pattern: x509.GeneralName, name: x509.GeneralName) -> bool:
    """RFC 6125 6.4: a wildcard stands for exactly the first label."""
    if isinstance(pattern, x509.DNSName) and isinstance(name, x509.DNSName):
        have, want = pattern.value.lower(), name.value.lower()
        return have == want or (have[:2] == "*." and have[1:] == "." + want.partition(".")[2])
    return pattern == name


def _text(name: x509.GeneralName) -> str:
    return str(name.value)


def _usage(leaf: x509.Certificate) -> Iterator[Problem]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(
        found
    ):
        yield Problem(Fault.USAGE, "its extended key usage lacks serverAuth")


# As lenient as Go: the rules of public authorities, which the library defaults to, refuse much
# of what private ones issue.
_AUTHORITY = ExtensionPolicy.permit_all().require_present(
    x509.BasicConstraints, Criticality.AGNOSTIC, None
)
_SERVER = ExtensionPolicy.permit_all().require_present(
    x509.SubjectAlternativeName, Criticality.AGNOSTIC, None
)


def _chain(
    chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime
) -> Iterator[Problem]:
    """Dates of the leaf are reported apart, so the chain is judged at a time within them."""
    leaf = chain[0]
    names = _alternative_names(leaf)
    if not names:
        return  # reported; the verifier cannot be asked without a name
    within = min(max(at, leaf.not_valid_before_utc), leaf.not_valid_after_utc)
    subject = names[0]
    assert isinstance(subject, x509.DNSName | x509.IPAddress)
    if isinstance(subject, x509.DNSName) and subject.value.startswith("*."):
        subject = x509.DNSName("any" + subject.value[1:])
    policy = PolicyBuilder().store(Store(list(roots))).time(within)
    policy = policy.extension_policies(ca_policy=_AUTHORITY, ee_policy=_SERVER)
    verifier = policy.build_server_verifier(subject)
    try:
        verifier.verify(leaf, list(chain[1:]))
    except VerificationError as error:
        yield Problem(Fault.CHAIN, f"is not issued by a valid CA of the bundle: {error}")
