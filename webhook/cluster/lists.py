"""One look at whole collections, with the rights of whoever looks.

What may not be read is remembered; what is not served (Gateway API) has no objects. Owns how a
collection is read into views, and not which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import msgspec

from webhook.cluster.connection import Connection
from webhook.cluster.errors import NotFoundError, ProtocolError, RefusedError
from webhook.cluster.pages import PAGE, pages

T = TypeVar("T")


class Unread(NamedTuple):
    """What could not be read. path: of the collection; message: what the API server said."""

    path: str
    message: str


class Lists:
    """For one event loop. Methods raise ClusterError, but not for a missing right.

    page: how many objects are asked for at a time. unread: everything that was refused.
    """

    def __init__(self, connection: Connection, page: int = PAGE) -> None:
        self.unread: list[Unread] = []
        self._connection = connection
        self._page = page

    async def all(
        self, where: str, type: type[T], params: Mapping[str, str] = {}
    ) -> list[T] | None:
        """Every object of a collection: [] where it is not served, None where it is forbidden."""
        try:
            found = pages(self._connection, where, params, size=self._page)
            return [decode(where, one, type) async for page in found for one in page]
        except NotFoundError:
            return []
        except RefusedError as error:
            self._forbidden(where, error)
            return None

    async def one(self, where: str, type: type[T]) -> T | None:
        """An object; None where it is not there, or forbidden."""
        try:
            return decode(where, await self._connection.read(where), type)
        except NotFoundError:
            return None
        except RefusedError as error:
            self._forbidden(where, error)
            return None

    def _forbidden(self, where: str, error: RefusedError) -> None:
        if error.status != 403:
            raise error
        self.unread.append(Unread(where, str(error)))


def decode(where: str, raw: bytes | msgspec.Raw, type: type[T]) -> T:
    """Raises ProtocolError."""
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{where}: not what an API server answers: {error}") from error
