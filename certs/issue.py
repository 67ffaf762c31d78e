"""A certificate authority and the server certificates it signs, as the API server demands them.

Keys are ECDSA P-256: a handshake costs the server 0.2 ms, half of RSA-2048. Subject Alternative
Names decide, the common name does not. Every certificate names its issuer's key, because Python
clients refuse one that does not (VERIFY_X509_STRICT). Pure: time is an argument, and nothing is
read or written.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATE = timedelta(hours=1)
"""How far before ``now`` validity begins: the clocks of a cluster are not the same."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM; the key unencrypted PKCS #8."""

    certificate: bytes
    key: bytes = field(repr=False)


def authority(common_name: str, *, now: datetime, life: timedelta) -> Pair:
    """A self-signed CA that can sign server certificates and no further CA.

    now: timezone-aware; the certificate expires at ``now + life``.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    builder = (
        _builder(name, name, key.public_key(), now, now + life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    return _signed(builder, key, key)


def leaf(ca: Pair, names: Sequence[str], *, now: datetime, life: timedelta) -> Pair:
    """A server certificate for DNS names and IP addresses, signed by ``ca``.

    It never outlives its CA. Raises ValueError without names, or when the CA has expired.
    """
    if not names:
        raise ValueError("a server certificate needs at least one name")
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    not_after = min(now + life, issuer.not_valid_after_utc)
    if not_after <= now:
        raise ValueError(f"the CA expired at {issuer.not_valid_after_utc.isoformat()}")
    signer = load_pem_private_key(ca.key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)  # as authority() made it
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name("netreeve"), issuer.subject, key.public_key(), now, not_after)
        .add_extension(x509.SubjectAlternativeName(list(map(general_name, names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_authority_key(issuer), critical=False)
    )
    return _signed(builder, key, signer)


def general_name(name: str) -> x509.DNSName | x509.IPAddress:
    """``10.0.0.1`` and ``::1`` are addresses, everything else is a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
) -> Pair:
    certificate = builder.sign(signer, hashes.SHA256())
    return Pair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    subject_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key.value)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
