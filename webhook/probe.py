"""A server of ours as a client sees it: which certificate it serves, and whether it denies.

Verifies as the API server does, no stricter: every certificate of the bundle is trusted as it
is, and Subject Alternative Names decide. Knows neither files nor the cluster.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from webhook.admission import proof

SECONDS = 5.0
LONGEST_ANSWER = 64 * 1024
_BUSY = 503


class NotProvenError(Exception):
    """The server has not denied what is known to be bad; the text says what it did instead."""


class BusyError(NotProvenError):
    """The server has sent us away because it has too much to do: it lives, and no more is known."""


class Peer(NamedTuple):
    """Where a server listens. name: which of its names to ask for."""

    host: str
    port: int
    name: str

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class _Response(msgspec.Struct):
    uid: str
    allowed: bool


class _Review(msgspec.Struct):
    response: _Response


async def served(peer: Peer, seconds: float = SECONDS) -> bytes:
    """The certificate that a server serves, PEM, whoever has issued it. Raises NotProvenError."""
    context = _context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is looked at, and nothing is said
    async with _connected(peer, context, seconds) as (_, writer):
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True) or b"").encode()


async def prove(peer: Peer, bundle: bytes) -> None:
    """See a server deny the known-bad object, over TLS that ``bundle`` (PEM) verifies.

    Raises NotProvenError; BusyError where the next attempt will say more.
    """
    context = _context()
    try:
        context.load_verify_locations(cadata=bundle.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise NotProvenError(f"the CA bundle cannot be used: {error}") from error
    async with _connected(peer, context, SECONDS) as (reader, writer):
        writer.write(_request(peer))
        answer = b""
        while (piece := await reader.read(LONGEST_ANSWER)) and len(answer) <= LONGEST_ANSWER:
            answer += piece
        _check(answer)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # As Go: a certificate of the bundle is trusted even where it is no self-signed authority.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


@asynccontextmanager
async def _connected(
    peer: Peer, context: ssl.SSLContext, seconds: float
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Everything within these seconds, and no goodbye that could take longer."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(
                peer.host, peer.port, ssl=context, server_hostname=peer.name, limit=LONGEST_ANSWER
            )
            try:
                yield reader, writer
            finally:
                writer.transport.abort()
    except TimeoutError as error:
        raise NotProvenError(f"{peer}: no answer in {seconds:g} s") from error
    except ssl.SSLCertVerificationError as error:
        text = f"{peer}: its certificate is not trusted: {error.verify_message}"
        raise NotProvenError(text) from error
    except OSError as error:  # TLS errors are among these
        raise NotProvenError(f"{peer}: {error.strerror or error}") from error


def _request(peer: Peer) -> bytes:
    head = (
        "POST /validate HTTP/1.1\r\n"
        f"Host: {peer.name}\r\n"
        "User-Agent: netreeve-proof\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(proof.REVIEW)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + proof.REVIEW


def _check(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.partition(b"\r\n")[0].split()[1:2]
    if status == [b"%d" % _BUSY]:
        raise BusyError("it has too many reviews to answer")
    if status != [b"200"]:
        raise NotProvenError(f"answered {head[:100]!r} and not with a review")
    try:
        response = msgspec.json.decode(body, type=_Review).response
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotProvenError(f"answered no review: {error}") from error
    if response.allowed or response.uid != proof.UID:
        raise NotProvenError("allowed what is known to be bad")
