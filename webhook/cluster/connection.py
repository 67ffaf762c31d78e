"""A connection to the API server that answers with bytes: no models, time-outs on everything.

Credentials come from a Source, are loaded before the first request and again after they were
refused. Knows nothing of resources or watches beyond that a watch answers line by line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp

from webhook.cluster.credentials import Credentials, Source
from webhook.cluster.errors import (
    ClusterError,
    CredentialsError,
    ProtocolError,
    RefusedError,
    TooLongError,
    UnreachableError,
)
from webhook.cluster.status import read_status, refused
from webhook.cluster.transport import new_session

USER_AGENT = "netreeve"
ANSWER_SECONDS = 30.0
"""For the head of an answer, for the whole of one that is no watch, and for the end of a watch
after the time that was agreed for it."""
LONGEST_LINE = 64 * 1024 * 1024
"""An object has at most a few MiB, escaped as JSON up to six times that."""
LONGEST_REFUSAL = 64 * 1024
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
SUCCESS = range(200, 203)
"""Done, created, accepted; the API server gives no other."""


class _Request(NamedTuple):
    method: str
    path: str
    params: Mapping[str, str]
    body: bytes | None = None
    content_type: str = JSON


class _Opened(NamedTuple):
    configuration: Credentials
    session: aiohttp.ClientSession


class Connection:
    """Use as an async context manager, in one event loop; may be shared by any number of tasks."""

    def __init__(
        self, source: Source, *, user_agent: str = USER_AGENT, timeout: float = ANSWER_SECONDS
    ) -> None:
        self._source = source
        self._user_agent = user_agent
        self._timeout = timeout
        self._opened: _Opened | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def address(self) -> str:
        """Of the API server; "" before the first request."""
        return self._opened.configuration.host if self._opened else ""

    async def close(self) -> None:
        """Ends every request; the next one would load the credentials anew."""
        opened, self._opened = self._opened, None
        if opened:
            await opened.session.close()

    async def read(
        self, path: str, params: Mapping[str, str] = {}, *, most: int = LONGEST_LINE
    ) -> bytes:
        """The whole answer to a GET. Raises ClusterError, TooLongError for one of more than
        ``most`` bytes."""
        async with self._ask(_Request("GET", path, params), self._timeout) as response:
            return await _body(path, response, most)

    async def headers(self, path: str) -> Mapping[str, str]:
        """Of the answer to a GET, whose body is not read. Raises ClusterError."""
        async with self._ask(_Request("GET", path, {}), self._timeout) as response:
            return response.headers

    async def write(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        params: Mapping[str, str] = {},
        content_type: str = JSON,
        seconds: float | None = None,
    ) -> bytes:
        """The whole answer to a request with a body, in so many seconds. Raises ClusterError.

        After an UnreachableError nobody knows whether it was done, or still will be.
        """
        request = _Request(method, path, params, body, content_type)
        try:
            # Around everything, for credentials may have to be loaded first.
            async with asyncio.timeout(seconds), self._ask(request, self._timeout) as response:
                return await response.read()
        except TimeoutError as error:
            raise UnreachableError(f"{path}: no answer in {seconds:g} s") from error

    @asynccontextmanager
    async def watch(
        self, path: str, params: Mapping[str, str], seconds: int
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines of a watch that the API server shall end after so many seconds.

        Entered when it answers. Raises ClusterError, also while the lines are read.
        """
        asked = {**params, "watch": "true", "timeoutSeconds": str(seconds)}
        async with (
            self._ask(_Request("GET", path, asked), seconds + self._timeout) as response,
            aclosing(lines(response.content.iter_any())) as found,
        ):
            yield found

    @asynccontextmanager
    async def _ask(
        self, request: _Request, seconds: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        opened = await self._open()
        url = f"{opened.configuration.host}{request.path}"
        try:
            async with self._answer(opened, url, request, seconds) as response:
                yield response
        except RefusedError as error:
            if error.status == 401:
                await self._forget(opened)
            raise
        except TimeoutError as error:
            raise UnreachableError(f"{url}: no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            untrusted = isinstance(error, aiohttp.ClientSSLError)
            if untrusted:
                await self._forget(opened)
            # The library's own text shows the address of a TLS context; the cause says more.
            reason = str(error.__cause__ or error) or type(error).__name__
            remedy = f"; is its authority that of {self._source}?" if untrusted else ""
            raise UnreachableError(f"{url}: not reachable ({reason}){remedy}") from error

    @asynccontextmanager
    async def _answer(
        self, opened: _Opened, url: str, request: _Request, seconds: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = await self._headers(opened.configuration)
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if opened.session.closed:
            raise UnreachableError(f"{url}: the credentials are being loaded again")
        async with asyncio.timeout(self._timeout):
            response = await opened.session.request(
                request.method,
                url,
                params=request.params,
                data=request.body,
                headers=headers,
                proxy=opened.configuration.proxy,
                server_hostname=opened.configuration.tls_server_name,
                timeout=aiohttp.ClientTimeout(total=seconds),
                allow_redirects=False,
            )
        try:
            if response.status not in SUCCESS:
                raise await self._refusal(url, response)
            yield response
        finally:
            response.close()

    async def _open(self) -> _Opened:
        async with self._opening:
            if self._opened is None:
                configuration = await self._source.load()
                try:
                    self._opened = _Opened(
                        configuration, new_session(configuration, self._source.proxied)
                    )
                except (OSError, ValueError) as error:
                    raise CredentialsError(
                        f"{self._source}: its certificates or key cannot be used ({error})"
                    ) from error
            return self._opened

    async def _forget(self, opened: _Opened) -> None:
        """What was refused is loaded anew for the next request, unless somebody was faster."""
        if self._opened is opened:
            await self.close()

    async def _headers(self, configuration: Credentials) -> dict[str, str]:
        headers = {
            "Accept": JSON,
            # Inside a data centre, unpacking costs more time than it saves.
            "Accept-Encoding": "identity",
            "User-Agent": self._user_agent,
        }
        try:
            token = (await configuration.auth_settings()).get("BearerToken")
        except Exception as error:  # the file of the token, or the plugin, is gone
            raise CredentialsError(f"{self._source} cannot be used any more ({error})") from error
        if token and token["value"]:
            headers["Authorization"] = token["value"].strip()
        return headers

    async def _refusal(self, url: str, response: aiohttp.ClientResponse) -> ClusterError:
        body = b""
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > LONGEST_REFUSAL:
                break
        status = read_status(body)
        text = f"{url}: {response.status} {status.message or response.reason or ''}".rstrip()
        if response.status == 401:
            text += f": the API server does not accept {self._source}"
        elif response.status == 403 and " cannot " in status.message:  # as RBAC says no
            text += ": grant this to the user in a ClusterRole"
        seconds = response.headers.get("Retry-After", "")
        wait = float(seconds) if seconds.isdecimal() else 0.0
        following = status.metadata.following
        return refused(text, response.status, wait, status.reasons, following)


async def _body(path: str, response: aiohttp.ClientResponse, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        parts.append(chunk)
        size += len(chunk)
        if size > most:
            raise TooLongError(f"{path}: an answer of more than {most} bytes")
    return b"".join(parts)


async def lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The lines of a stream, however it is cut; linear in its length, also for very long ones."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            line = b"".join((*parts, end))
            parts, size = [], 0
            if line:
                yield line
        parts.append(rest)
        size += len(rest)
        if size > LONGEST_LINE:
            raise ProtocolError(f"a line of more than {LONGEST_LINE} bytes in a watch")
