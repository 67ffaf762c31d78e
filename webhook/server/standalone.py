"""A throw-away certificate authority and server certificate, for trying Netreeve out and for CI."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from certs.issue import authority, leaf
from webhook.server.tls import AUTHORITY, CERTIFICATE, KEY, CertificateError

LIFE = timedelta(days=30)
_NAME = "netreeve throw-away CA"


def make_certificates(directory: Path, host: str, now: datetime) -> None:
    """Write ca.crt, tls.crt and tls.key for this machine, each file at once or not at all.

    host: the address that is listened on, "" for all. Raises CertificateError rather than
    replace a certificate that is not of our making, and OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _check_ours(directory / CERTIFICATE)
    ca = authority(_NAME, now=now, life=LIFE)
    pair = leaf(ca, list(dict.fromkeys(_names(host))), now=now, life=LIFE)
    _write(directory / AUTHORITY, ca.certificate, 0o644)
    _write(directory / KEY, pair.key, 0o600)
    _write(directory / CERTIFICATE, pair.certificate, 0o644)


def _names(host: str) -> Iterator[str]:
    yield from ("localhost", "127.0.0.1", "::1")
    name = socket.gethostname()
    if name.isascii() and name:
        yield name
    if host not in ("", "::", "0.0.0.0"):  # noqa: S104 - compared with, not bound to
        yield host


def _check_ours(path: Path) -> None:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        issuers = found.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
        ours = any(issuer.value == _NAME for issuer in issuers)
    except FileNotFoundError:
        return
    except ValueError:
        ours = False
    if not ours:
        raise CertificateError(
            f"{path} exists and is not a throw-away certificate: name another --cert-dir, "
            "or leave out --standalone to serve this one"
        )


def _write(path: Path, content: bytes, mode: int) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
    scratch.replace(path)
