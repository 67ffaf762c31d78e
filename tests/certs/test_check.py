"""Each thing that can be wrong with a pair is named, alone and together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.check import Fault, not_after, problems
from certs.issue import BACKDATE, Pair, authority, leaf

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
NAME = "netreeve.netreeve.svc"
CA = authority("netreeve CA", now=NOW, life=100 * DAY)
OTHER_CA = authority("netreeve CA", now=NOW, life=100 * DAY)
GOOD = leaf(CA, [NAME, "10.0.0.1", "::1", "*.wild.svc"], now=NOW, life=10 * DAY)
OTHER = leaf(CA, [NAME], now=NOW, life=10 * DAY)


def faults(
    pair: Pair = GOOD,
    at: datetime = NOW,
    name: str | None = NAME,
    authorities: bytes | None = CA.certificate,
) -> list[Fault]:
    found = problems(pair.certificate, pair.key, at=at, name=name, authorities=authorities)
    assert all(problem.text and "PRIVATE" not in problem.text for problem in found)
    return [problem.fault for problem in found]


def test_a_good_pair_has_no_problem() -> None:
    assert faults() == []
    assert faults(name=None, authorities=None) == []


@pytest.mark.parametrize("name", ["10.0.0.1", "::1", "0:0::1", NAME.upper(), "any.wild.svc"])
def test_names_are_compared_as_clients_do(name: str) -> None:
    assert faults(name=name) == []


@pytest.mark.parametrize("name", ["other.svc", "10.0.0.2", "a.b.wild.svc", "wild.svc", "*.svc"])
def test_another_name(name: str) -> None:
    assert faults(name=name) == [Fault.NAME]


def test_the_key_of_another_certificate() -> None:
    assert faults(Pair(GOOD.certificate, OTHER.key)) == [Fault.KEY]


def test_time() -> None:
    assert faults(at=NOW - BACKDATE) == []
    assert faults(at=NOW - BACKDATE - timedelta(seconds=1)) == [Fault.NOT_YET]
    assert faults(at=NOW + 10 * DAY) == []
    assert faults(at=NOW + 10 * DAY + timedelta(seconds=1)) == [Fault.EXPIRED]


def test_another_authority_of_the_same_name() -> None:
    assert faults(authorities=OTHER_CA.certificate) == [Fault.CHAIN]
    assert faults(authorities=OTHER_CA.certificate + CA.certificate) == []


def test_everything_at_once() -> None:
    found = faults(
        Pair(GOOD.certificate, OTHER.key),
        at=NOW + 11 * DAY,
        name="other.svc",
        authorities=OTHER_CA.certificate,
    )
    assert found == [Fault.KEY, Fault.EXPIRED, Fault.NAME, Fault.CHAIN]


@pytest.mark.parametrize(
    "pair",
    [
        Pair(b"", GOOD.key),
        Pair(GOOD.certificate[:-30], GOOD.key),
        Pair(b"\x00\xff", GOOD.key),
        Pair(GOOD.key, GOOD.key),
        Pair(GOOD.certificate, b""),
        Pair(GOOD.certificate, GOOD.key[:-30]),
        Pair(GOOD.certificate, GOOD.certificate),
    ],
)
def test_what_cannot_be_read(pair: Pair) -> None:
    assert faults(pair) == [Fault.UNREADABLE]


def test_a_bundle_that_cannot_be_read() -> None:
    assert faults(authorities=b"") == [Fault.UNREADABLE]


def test_a_key_with_a_password() -> None:
    key = rsa.generate_private_key(65537, 2048)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    assert faults(Pair(GOOD.certificate, locked)) == [Fault.UNREADABLE]


def test_a_chain_with_an_intermediate() -> None:
    root = trustme.CA()
    issued = root.create_child_ca().issue_cert(NAME)
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    pair = Pair(chain, issued.private_key_pem.bytes())
    assert faults(pair, authorities=root.cert_pem.bytes()) == []
    assert faults(Pair(issued.cert_chain_pems[0].bytes(), pair.key),
                  authorities=root.cert_pem.bytes()) == [Fault.CHAIN]  # fmt: skip


def test_a_leaf_is_no_authority() -> None:
    forged = leaf(GOOD, [NAME], now=NOW, life=DAY)
    assert faults(Pair(forged.certificate + GOOD.certificate, forged.key)) == [Fault.CHAIN]


def _self_signed(*extensions: x509.ExtensionType) -> Pair:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    return Pair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    )


def test_a_common_name_is_no_name() -> None:
    assert faults(_self_signed(), authorities=None) == [Fault.NAME]


def test_a_certificate_for_clients() -> None:
    names = x509.SubjectAlternativeName([x509.DNSName(NAME)])
    clients = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    assert faults(_self_signed(names, clients), authorities=None) == [Fault.USAGE]
    assert faults(_self_signed(names), authorities=None) == []


def test_when_it_expires() -> None:
    assert not_after(GOOD.certificate) == NOW + 10 * DAY
    with pytest.raises(ValueError, match=r"."):
        not_after(b"")
