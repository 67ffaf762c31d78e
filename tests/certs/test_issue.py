"""What is issued, judged by OpenSSL through the ssl module and by the parser of cryptography."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.issue import BACKDATE, authority, leaf

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
NAMES = ["netreeve.netreeve.svc", "localhost", "10.0.0.1", "fd00::1"]
CA = authority("netreeve CA", now=NOW, life=100 * DAY)
LEAF = leaf(CA, NAMES, now=NOW, life=10 * DAY)


def parsed(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def handshake(pair_pem: bytes, ca: bytes, name: str, folder: str) -> None:
    """A TLS handshake in memory, with the strict checks of Python 3.13. Raises ssl.SSLError."""
    path = f"{folder}/pair.pem"
    with open(path, "wb") as file:
        file.write(pair_pem)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(path)
    asking = ssl.create_default_context(cadata=ca.decode())
    asking.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = asking.wrap_bio(to_client, to_server, server_hostname=name)
    for side in (client, server, client, server):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()


@pytest.mark.parametrize("name", NAMES)
def test_a_strict_client_accepts_the_leaf_for_each_name(name: str, tmp_path: object) -> None:
    handshake(LEAF.certificate + LEAF.key, CA.certificate, name, str(tmp_path))


def test_a_strict_client_refuses_another_name_and_another_ca(tmp_path: object) -> None:
    pair, folder = LEAF.certificate + LEAF.key, str(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="ostname mismatch"):
        handshake(pair, CA.certificate, "netreeve.other.svc", folder)
    other = authority("netreeve CA", now=NOW, life=DAY)
    with pytest.raises(ssl.SSLCertVerificationError, match="verify failed"):
        handshake(pair, other.certificate, "localhost", folder)


def test_the_authority_can_sign_servers_and_no_other_authority() -> None:
    ca = parsed(CA.certificate)
    basic = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.crl_sign) == (True, True)
    assert not usage.value.digital_signature
    assert isinstance(ca.public_key(), ec.EllipticCurvePublicKey)


def test_the_leaf_is_for_servers_only() -> None:
    certificate = parsed(LEAF.certificate)
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca) == (True, False)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.digital_signature) == (True, True)
    assert not usage.value.key_cert_sign
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert list(extended.value) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_names_and_addresses_are_told_apart() -> None:
    names = parsed(LEAF.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == NAMES[:2]
    assert names.value.get_values_for_type(x509.IPAddress) == [
        ip_address("10.0.0.1"),
        ip_address("fd00::1"),
    ]


def test_keys_are_identified_on_both_sides() -> None:
    ca, certificate = parsed(CA.certificate), parsed(LEAF.certificate)
    own = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert named.key_identifier == own.key_identifier


def test_validity_begins_earlier_for_clocks_that_are_behind() -> None:
    for pem, life in ((CA.certificate, 100 * DAY), (LEAF.certificate, 10 * DAY)):
        certificate = parsed(pem)
        assert certificate.not_valid_before_utc == NOW - BACKDATE
        assert certificate.not_valid_after_utc == NOW + life


def test_a_leaf_never_outlives_its_authority() -> None:
    later = NOW + 95 * DAY
    certificate = parsed(leaf(CA, ["a"], now=later, life=10 * DAY).certificate)
    assert certificate.not_valid_after_utc == NOW + 100 * DAY
    with pytest.raises(ValueError, match="the CA expired"):
        leaf(CA, ["a"], now=NOW + 100 * DAY, life=DAY)


def test_a_leaf_needs_a_name() -> None:
    with pytest.raises(ValueError, match="at least one name"):
        leaf(CA, [], now=NOW, life=DAY)


def test_serial_numbers_and_keys_are_new_each_time() -> None:
    pairs = [leaf(CA, ["a"], now=NOW, life=DAY) for _ in range(5)]
    serials = {parsed(pair.certificate).serial_number for pair in pairs}
    assert len(serials) == len({pair.key for pair in pairs}) == 5
    assert all(serial.bit_length() > 64 for serial in serials)


def test_a_name_longer_than_a_common_name_is_fine() -> None:
    name = f"{'n' * 60}.{'s' * 60}.svc"
    certificate = parsed(leaf(CA, [name], now=NOW, life=DAY).certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == [name]


def test_the_key_does_not_show_in_a_log() -> None:
    assert "PRIVATE" not in repr(LEAF)
