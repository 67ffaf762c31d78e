"""TLS as the API server wants it, and certificates that change while the server runs."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from certs.issue import Pair, authority, leaf
from tests.server.clients import TIMEOUT, Client, connected, head, read_answer, review
from tests.server.running import Running, now, running
from webhook.server.tls import CertificateError, CertificateHolder

DAY = dt.timedelta(days=1)
BODY = review()


def handshake(server: Running, context: ssl.SSLContext, name: str | None = "localhost") -> str:
    """The version of the protocol that was agreed on."""
    with (
        socket.create_connection(server.reviews, TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        return secure.version() or ""


def trusting(server: Running) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.ca)


def serial(server: Running, name: str | None = "localhost") -> str:
    """The serial number of the certificate that a new handshake is given."""
    context = ssl.create_default_context(cadata=(server.directory / "ca.crt").read_text())
    context.check_hostname = name is not None
    with (
        socket.create_connection(server.reviews, TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        certificate = secure.getpeercert()
        assert certificate
        return str(certificate["serialNumber"])


def replace(server: Running, pair: Pair) -> None:
    """Write the files one after the other, as a careless administrator would."""
    (server.directory / "tls.crt").write_bytes(pair.certificate)
    (server.directory / "tls.key").write_bytes(pair.key)


def new_pair(server: Running) -> Pair:
    """Of a new CA, which clients trust from now on."""
    ca = authority("another CA", now=now(), life=DAY)
    server.ca.write_bytes(ca.certificate)
    return leaf(ca, ("localhost",), now=now(), life=DAY)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_modern_versions_are_spoken(server: Running, version: ssl.TLSVersion) -> None:
    context = trusting(server)
    context.minimum_version = context.maximum_version = version
    assert handshake(server, context) == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_old_versions_are_not(server: Running) -> None:
    context = trusting(server)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(server, context)


@pytest.mark.parametrize("offered", [["http/1.1"], ["h2", "http/1.1"]])
def test_http_1_1_is_agreed_on(server: Running, offered: list[str]) -> None:
    context = trusting(server)
    context.set_alpn_protocols(offered)
    with (
        socket.create_connection(server.reviews, TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.selected_alpn_protocol() == "http/1.1"


def test_a_client_without_a_server_name_is_served(server: Running) -> None:
    assert serial(server, None) == serial(server)


def test_a_new_pair_is_served_and_open_connections_go_on(directory: Path) -> None:
    with running(directory) as server, connected(server.reviews, server.ca) as open_connection:
        before = serial(server)
        replace(server, new_pair(server))
        server.certificates.poll()
        assert serial(server) != before
        open_connection.sendall(head(len(BODY)) + BODY)
        assert read_answer(open_connection).status == 200
        client = Client(server.reviews._replace(host="localhost"), server.ca)
        assert client.ask("/validate", BODY).status == 200
        client.close()


def test_another_type_of_key_is_served(directory: Path) -> None:
    with running(directory) as server:
        ca = trustme.CA(key_type=trustme.KeyType.RSA)
        issued = ca.issue_cert("localhost", key_type=trustme.KeyType.RSA)
        ca.cert_pem.write_to_path(server.ca)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        replace(server, Pair(chain, issued.private_key_pem.bytes()))
        server.certificates.poll()
        assert serial(server)


def _issued(start: dt.timedelta) -> Pair:
    ca = authority("another CA", now=now() - 3 * DAY, life=10 * DAY)
    return leaf(ca, ["localhost"], now=now() + start, life=DAY)


UNUSABLE: dict[str, Callable[[Pair, Pair], Pair]] = {
    "certificate first": lambda new, old: Pair(new.certificate, old.key),
    "key first": lambda new, old: Pair(old.certificate, new.key),
    "certificate cut short": lambda new, old: Pair(new.certificate[:-30], new.key),
    "key cut short": lambda new, old: Pair(new.certificate, new.key[:-30]),
    "certificate empty": lambda new, old: Pair(b"", new.key),
    "expired": lambda new, old: _issued(-2 * DAY),
    "not yet valid": lambda new, old: _issued(2 * DAY),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_pair_that_is_no_good_leaves_the_one_in_use(directory: Path, what: str) -> None:
    with running(directory) as server:
        before, trusted = serial(server), server.ca.read_bytes()
        old = Pair(
            (server.directory / "tls.crt").read_bytes(), (server.directory / "tls.key").read_bytes()
        )
        good = new_pair(server)
        replace(server, UNUSABLE[what](good, old))
        server.certificates.poll()
        server.certificates.poll()
        failed = b'netreeve_certificate_reloads_total{result="failure"} 1.0'  # told once
        assert failed in server.metrics.render()[0]
        server.ca.write_bytes(trusted)
        assert serial(server) == before
        replace(server, new_pair(server))
        server.certificates.poll()
        assert serial(server) != before


def test_files_that_vanish_leave_the_pair_in_use(directory: Path) -> None:
    with running(directory) as server:
        before = serial(server)
        (server.directory / "tls.key").unlink()
        server.certificates.poll()
        assert serial(server) == before


def test_a_secret_that_is_swapped_by_its_symbolic_link_is_noticed(directory: Path) -> None:
    """As the kubelet does it: a new directory, then ``..data`` points there."""
    with running(directory) as server:
        before = serial(server)
        mounted = server.directory / "mounted"
        for number, pair in enumerate((new_pair(server), new_pair(server))):
            content = mounted / f"..{number}"
            content.mkdir(parents=True)
            (content / "tls.crt").write_bytes(pair.certificate)
            (content / "tls.key").write_bytes(pair.key)
        (mounted / "..data").symlink_to("..0")
        for name in ("tls.crt", "tls.key"):
            (server.directory / name).unlink()
            (server.directory / name).symlink_to(mounted / "..data" / name)
        server.certificates.poll()
        (mounted / "..next").symlink_to("..1")
        (mounted / "..next").rename(mounted / "..data")
        server.certificates.poll()
        assert serial(server) != before


def test_without_a_pair_it_does_not_start(server: Running, tmp_path: Path) -> None:
    holder = CertificateHolder(tmp_path, server.telemetry, now)
    with pytest.raises(CertificateError, match=r"tls\.crt: No such file .* add --standalone"):
        holder.load()


def agree(listening: ssl.SSLContext, ca: Path) -> None:
    """A handshake in memory, with a client that trusts ``ca``. Raises SSLError."""
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.create_default_context(cafile=ca)
    client = trusting.wrap_bio(one, other, server_hostname="localhost")
    server = listening.wrap_bio(other, one, server_side=True)
    for _ in range(4):
        for end in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    assert client.getpeercert()


def test_a_pair_that_comes_later_is_served(server: Running, tmp_path: Path) -> None:
    """As a Secret that is mounted before it is written."""
    holder = CertificateHolder(tmp_path, server.telemetry, now)
    assert holder.missing == "not read yet"
    holder.poll()
    assert "No such file" in holder.missing
    listening = holder.listening()
    with pytest.raises(ssl.SSLError):
        agree(listening, server.ca)
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes((server.directory / name).read_bytes())
    holder.poll()
    assert holder.missing == ""
    agree(listening, server.ca)


def test_with_a_pair_that_does_not_match_it_does_not_start(server: Running, tmp_path: Path) -> None:
    ca = authority("CA", now=now(), life=DAY)
    one, other = (leaf(ca, ["localhost"], now=now(), life=DAY) for _ in range(2))
    (tmp_path / "tls.crt").write_bytes(one.certificate)
    (tmp_path / "tls.key").write_bytes(other.key)
    with pytest.raises(CertificateError, match="the key belongs to another certificate"):
        CertificateHolder(tmp_path, server.telemetry, now).load()
