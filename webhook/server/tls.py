"""The certificate in use, and its exchange while connections and handshakes go on.

A pair is read and checked apart, in an SSLContext of its own; only a good one takes the place of
the one in use. Loading it into the context in use would break every new handshake when
certificate and key do not match, as while a Secret is being written.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, NoReturn

from certs.check import not_after, problems
from webhook.telemetry.recorder import Recorder

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"
"""File names in the directory, as in a Secret of type kubernetes.io/tls; the last is what clients
trust."""

POLL_SECONDS = 2.0
"""Two small files; the kubelet itself takes up to a minute to write a changed Secret."""

log = logging.getLogger(__name__)


class CertificateError(Exception):
    """The pair in the directory cannot be served; the text says what to do."""


class _Pair(NamedTuple):
    certificate: bytes
    key: bytes


class CertificateHolder:
    """The pair in ``directory``. Content is compared, not times: a mounted Secret changes by
    swapping a symbolic link."""

    def __init__(self, directory: Path, recorder: Recorder, now: Callable[[], datetime]) -> None:
        self._directory = directory
        self._recorder = recorder
        self._now = now
        self._used: _Pair | None = None
        self._current: ssl.SSLContext | None = None
        self._complaint = ""

    def load(self) -> None:
        """Read the pair for the start. Raises CertificateError."""
        pair = self._read()
        self._use(pair, self._checked(pair))

    @property
    def missing(self) -> str:
        """Why there is no certificate to serve, "" when there is one."""
        return "" if self._used else self._complaint or "not read yet"

    def poll(self) -> None:
        """Take a changed pair into use if it is good; else keep the one in use and say so once."""
        try:
            pair = self._read()
            if pair == self._used:
                self._complaint = ""
                return
            self._use(pair, self._checked(pair))
        except CertificateError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                self._recorder.certificate_loaded(ok=False, not_after=None)
                kept = "the certificate in use is kept" if self._used else "no certificate yet"
                log.error("%s: %s", kept, error)
            return
        log.info("a new certificate is in use, valid until %s", not_after(pair.certificate))

    async def watch(self, seconds: float = POLL_SECONDS) -> NoReturn:
        """Poll for ever; without `load` before, the pair may also come later."""
        while True:
            self.poll()
            await asyncio.sleep(seconds)

    def listening(self) -> ssl.SSLContext:
        """The context to listen with: each handshake is moved to the current one."""
        context = _context()

        def use_current(
            connection: ssl.SSLObject, name: str | None, listening: ssl.SSLContext
        ) -> int | None:
            if self._current is None:
                return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR  # ends this handshake
            connection.context = self._current
            return None

        context.sni_callback = use_current  # also called without SNI
        return context

    def _read(self) -> _Pair:
        found = []
        for name in (CERTIFICATE, KEY):
            path = self._directory / name
            try:
                found.append(path.read_bytes())
            except OSError as error:
                raise CertificateError(_missing(path, error)) from error
        return _Pair(*found)

    def _checked(self, pair: _Pair) -> ssl.SSLContext:
        found = problems(pair.certificate, pair.key, at=self._now())
        if found:
            texts = "; ".join(problem.text for problem in found)
            raise CertificateError(f"{self._directory / CERTIFICATE}: {texts}")
        context = _context()
        try:
            context.load_cert_chain(self._directory / CERTIFICATE, self._directory / KEY)
        except (OSError, ssl.SSLError) as error:
            raise CertificateError(f"{self._directory / CERTIFICATE}: {error}") from error
        if self._read() != pair:  # what was checked is not what was loaded; the next poll decides
            raise CertificateError(f"{self._directory}: is being written")
        return context

    def _use(self, pair: _Pair, context: ssl.SSLContext) -> None:
        self._used, self._current, self._complaint = pair, context, ""
        self._recorder.certificate_loaded(ok=True, not_after=not_after(pair.certificate))


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])  # all that the API server asks a service for
    context.num_tickets = 0  # its client resumes no sessions
    return context


def _missing(path: Path, error: OSError) -> str:
    return (
        f"{path}: {error.strerror}. A server certificate and its key are needed there, as mounted "
        "from a Secret of type kubernetes.io/tls; to try Netreeve without, add --standalone"
    )
