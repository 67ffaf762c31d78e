"""Lists of any length, page by page: nothing but the present page is in memory.

Knows no kind in particular. Needs list on what it reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from webhook.cluster.connection import Connection
from webhook.cluster.errors import ExpiredError, ProtocolError, RefusedError, TooLongError

PAGE = 500
PAGE_BYTES = 16 * 1024 * 1024
"""Of a page with more than one object: somebody may have made each of them as large as can be."""
PATIENCE = 5
"""How often one page is asked for when the API server says that it is busy."""
PAUSE = 1.0
BUSY = frozenset({429, 500, 502, 503, 504})


class _ListMeta(msgspec.Struct, frozen=True):
    next: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct):
    metadata: _ListMeta = _ListMeta()
    items: list[msgspec.Raw] | None = None


async def pages(
    connection: Connection, where: str, params: Mapping[str, str] = {}, *, size: int = PAGE
) -> AsyncIterator[Sequence[msgspec.Raw]]:
    """The objects of a collection as JSON, `size` at a time.

    Where it takes so long that the history of the first page is gone (410 after some minutes),
    the rest is read as it is then: the API server hands out a token for that, and no object comes
    twice (kubernetes.io/docs/reference/using-api/api-concepts, "410 Gone"). Raises ClusterError.
    """
    following = ""
    while True:
        asked = {**params, "continue": following} if following else params
        try:
            body, size = await _patiently(connection, where, asked, size)
        except ExpiredError as error:
            if not error.following or error.following == following:
                raise
            following = error.following
            continue
        try:
            page = msgspec.json.decode(body, type=_Page)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise ProtocolError(f"{where}: not what an API server answers: {error}") from error
        yield page.items or ()
        following = page.metadata.next
        if not following:
            return


class Page(NamedTuple):
    """body: of the answer. size: how many objects fit, for the next page."""

    body: bytes
    size: int


async def _patiently(
    connection: Connection, where: str, params: Mapping[str, str], size: int
) -> Page:
    for _ in range(PATIENCE - 1):
        try:
            return await read_page(connection, where, params, size)
        except RefusedError as error:
            if error.status not in BUSY:
                raise
            await asyncio.sleep(error.retry_after or PAUSE)
    return await read_page(connection, where, params, size)


async def read_page(
    connection: Connection, where: str, params: Mapping[str, str], size: int
) -> Page:
    """A list of at most ``size`` objects, fewer where these would take too much memory."""
    while size > 1:
        try:
            limited = {**params, "limit": str(size)}
            return Page(await connection.read(where, limited, most=PAGE_BYTES), size)
        except TooLongError:
            size //= 8
    return Page(await connection.read(where, {**params, "limit": "1"}), 1)
