"""One look at whole collections, with the rights of whoever looks.

What may not be read is remembered; what is not served (Gateway API) has no objects. Owns how a
collection is read into views, and not which.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, Self, TypeVar
from urllib.parse import unquote

import msgspec

from webhook.cluster.connection import Connection
from webhook.cluster.errors import NotFoundError, ProtocolError, RefusedError
from webhook.cluster.pages import PAGE, pages

T = TypeVar("T")


class Unread(NamedTuple):
    """What could not be read. path: of the collection, or object; message: why, in a sentence."""

    path: str
    message: str

    @property
    def resource(self) -> str:
        """As RBAC and kubectl name it: ``nodes``, ``deployments.apps``."""
        return _Asked.of(self.path).resource


def told(unread: Iterable[Unread]) -> Iterator[str]:
    """A sentence for each resource: of the whole cluster, or of all namespaces that were asked."""
    by_resource: dict[str, list[Unread]] = {}
    for one in unread:
        by_resource.setdefault(one.resource, []).append(one)
    for resource, some in by_resource.items():
        asked = {one: _Asked.of(one.path) for one in some}
        widest = [one for one in some if not asked[one].namespace] or some
        if len(widest) > 1 and all(one.message == asked[one].refusal for one in widest):
            places = ", ".join(asked[one].namespace for one in widest)
            yield f"you may not list {resource} in namespaces {places}"
        else:
            yield from (one.message for one in widest)


class Lists:
    """For one event loop. Methods raise ClusterError, but not for a missing right.

    page: how many objects are asked for at a time. within: the namespace to be content with where
    all of them are forbidden. unread: everything that was refused.
    """

    def __init__(self, connection: Connection, page: int = PAGE, within: str = "") -> None:
        self.unread: list[Unread] = []
        self._connection = connection
        self._page = page
        self._within = within

    @contextmanager
    def part(self) -> Iterator[Lists]:
        """Lists whose `unread` is what this block alone was refused; it is remembered here too."""
        own = Lists(self._connection, self._page, self._within)
        yield own
        self.unread += own.unread

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
            if error.status == 403 and self._within and (inside := _inside(where, self._within)):
                return await self._narrowed(where, inside, type, params)
            self._forbidden(where, error)
            return None

    async def each(self, where: str) -> AsyncIterator[msgspec.Raw]:
        """The objects of a collection as JSON, with one page in memory; none where it is not
        served, or forbidden."""
        try:
            async for page in pages(self._connection, where, size=self._page):
                for one in page:
                    yield one
        except NotFoundError:
            return
        except RefusedError as error:
            self._forbidden(where, error)

    async def one(self, where: str, type: type[T]) -> T | None:
        """An object; None where it is not there, or forbidden."""
        try:
            return decode(where, await self._connection.read(where), type)
        except NotFoundError:
            return None
        except RefusedError as error:
            self._forbidden(where, error)
            return None

    async def _narrowed(
        self, where: str, inside: str, type: type[T], params: Mapping[str, str]
    ) -> list[T] | None:
        """What is in one namespace, of a collection that is forbidden as a whole."""
        asked, there = _Asked.of(where), Lists(self._connection, self._page)
        if asked.resource == "namespaces":
            one = await there.one(inside, type)
            found: list[T] | None = [] if one is None else [one]
        else:
            found = await there.all(inside, type, params)
        if there.unread:
            self.unread += there.unread
            return None
        # A Namespace is in no namespace.
        single = f"get namespaces/{self._within}" if asked.resource == "namespaces" else ""
        part = single or f"in namespace {self._within}"
        self.unread.append(Unread(where, f"{asked.refusal}, only {part}"))
        return found

    def _forbidden(self, where: str, error: RefusedError) -> None:
        if error.status != 403:
            raise error
        # Somebody else than the API server's authorization may refuse as well, in words of its own.
        plain = "Forbidden" in error.reasons
        self.unread.append(Unread(where, _Asked.of(where).refusal if plain else str(error)))


class _Asked(NamedTuple):
    """A request, as RBAC sees it. resource: with its group; name: "" for a collection."""

    resource: str
    namespace: str
    name: str

    @classmethod
    def of(cls, where: str) -> Self:
        """where: a path of `apply.path`."""
        kind, *parts = unquote(where).strip("/").split("/")
        group, parts = ("", parts[1:]) if kind == "api" else (parts[0], parts[2:])
        namespace = ""
        if len(parts) > 2 and parts[0] == "namespaces":
            namespace, parts = parts[1], parts[2:]
        resource = f"{parts[0]}.{group}" if group else parts[0]
        return cls(resource, namespace, "/".join(parts[1:]))

    @property
    def refusal(self) -> str:
        """Which right is missing, in a plain sentence."""
        what = f"get {self.resource}/{self.name}" if self.name else f"list {self.resource}"
        place = f" in namespace {self.namespace}" if self.namespace else " in the whole cluster"
        return f"you may not {what}{'' if self.name and not self.namespace else place}"


def _inside(where: str, namespace: str) -> str:
    """The part of a collection that is in one namespace; "" where there is none."""
    asked = _Asked.of(where)
    if asked.namespace or asked.name or asked.resource == "nodes":
        return ""
    if asked.resource == "namespaces":
        return f"{where}/{namespace}"
    parent, _, resource = where.rpartition("/")
    return f"{parent}/namespaces/{namespace}/{resource}"


def decode(where: str, raw: bytes | msgspec.Raw, type: type[T]) -> T:
    """Raises ProtocolError."""
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{where}: not what an API server answers: {error}") from error
