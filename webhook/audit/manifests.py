"""Objects in manifests: what a stream of YAML or JSON holds, each with the place it was found at.

Reads as kubectl does: several documents in a stream, lists of objects. What cannot be read is
reported where it is, and the rest is read on. Knows no policy and gives no verdict.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from webhook.audit.findings import Unreadable
from webhook.config.chunks import LONGEST, Chunk, chunks
from webhook.config.positions import Document, Position, Problem
from webhook.config.yamltext import read

STDIN = "-"


class Origin(NamedTuple):
    """Where text comes from: a file, or a template and the input that holds what Helm made of it.

    input: "" where the text was read from ``file`` itself.
    """

    file: str
    input: str = ""


@dataclass(frozen=True)
class Manifest:
    """One object: what it says of itself, and where it stands.

    path: of the object in its document, "" unless it is an item of a List.
    """

    origin: Origin
    document: Document
    path: str
    api_version: str
    kind: str
    object: dict[str, Any]

    @property
    def file(self) -> str:
        return self.origin.file

    @property
    def line(self) -> int:
        return self.document.line_of(self.path)

    def position_of(self, field: str) -> Position:
        """Where a field of the object is, or its nearest parent that is written down."""
        return self.document.position_of(f"{self.path}.{field}".lstrip("."))

    def repeated(self) -> Iterator[Problem]:
        """The fields of the object that are set more than once."""
        start = f"{self.path}." if self.path else ""
        for one in self.document.repeated:
            if one.path.startswith(start):
                yield one._replace(path=one.path.removeprefix(start))


@dataclass(frozen=True)
class Stranger:
    """A document in a folder that is no Kubernetes object, such as the values of a chart."""

    file: str
    line: int


Input = Manifest | Unreadable | Stranger


def parse(
    stream: BinaryIO, file: str, only: re.Pattern[bytes] | None = None
) -> Iterator[Manifest | Unreadable]:
    """The objects in a stream, one document in memory at a time. Raises OSError.

    ``file`` is its name, of whatever bytes. only: documents without a match are skipped unread.
    """
    file = name(file)
    try:
        stream = _as_utf_8(stream)
    except ValueError:
        yield Unreadable(file, None, "is neither UTF-8 nor UTF-16 text")
        return
    for chunk in chunks(stream):
        if only is None or only.search(chunk.data):
            yield from in_chunk(chunk, file)


def name(path: str) -> str:
    """A path as text: file names may be any bytes."""
    return path.encode(errors="backslashreplace").decode()


_UTF_8_MARK = re.compile(rb"\A(---\s*\n)?\xef\xbb\xbf")
"""Files that begin with such a mark are joined like others, so that any document can have one."""
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def _as_utf_8(stream: BinaryIO) -> BinaryIO:
    """UTF-16 is told by its byte order mark. Raises ValueError."""
    start = stream.tell()
    mark = stream.read(2)
    stream.seek(start)
    if mark not in _UTF_16_MARKS:
        return stream
    return io.BytesIO(stream.read().decode("utf-16").encode())


def in_chunk(chunk: Chunk, file: str) -> Iterator[Manifest | Unreadable]:
    """The objects in one part of a stream."""
    if chunk.too_long:
        message = f"has more than {LONGEST >> 20} MiB in one document; split it"
        yield Unreadable(file, chunk.line, message)
        return
    try:
        text = _UTF_8_MARK.sub(rb"\1", chunk.data).decode()
    except UnicodeDecodeError as error:
        line = chunk.line + error.object.count(b"\n", 0, error.start)
        yield Unreadable(file, line, "is not UTF-8 text")
        return
    origin = _origin(file, text)
    for document in read(text, chunk.line):
        try:
            yield from tuple(_found(origin, document, text, chunk.line))
        except Exception as error:
            message = f"could not be read: {type(error).__name__}"
            yield _wrong(origin, document.line, message)


_SOURCE = re.compile(r"(?:---[^\n]*\n)?# Source: ([^\n]*\S)")


def _origin(file: str, text: str) -> Origin:
    """The template that Helm names above what it made of it; a file is a better place than that."""
    source = _SOURCE.match(text) if file == STDIN else None
    return Origin(source[1], file) if source else Origin(file)


def _found(
    origin: Origin, document: Document, text: str, first: int
) -> Iterator[Manifest | Unreadable]:
    if document.problems:
        yield from _unreadable(origin, document, text.split("\n"), first)
    elif document.value is not None:
        yield from _objects(origin, document, document.value, "")


def _unreadable(
    origin: Origin, document: Document, lines: list[str], first: int
) -> Iterator[Unreadable]:
    """first: the number of the first of ``lines``."""
    for problem in document.problems:
        message = f"{problem.path}: {problem.message}" if problem.path else problem.message
        line = problem.line or document.line
        if any("{{" in one for one in lines[max(0, line - first - 1) : line - first + 2]):
            message = f"{message}; it looks like a template: render it first"
        yield _wrong(origin, line, message)


def _wrong(origin: Origin, line: int, message: str, *, stranger: bool = False) -> Unreadable:
    return Unreadable(origin.file, line, message, stranger, origin.input)


def _objects(
    origin: Origin, document: Document, value: Any, path: str, list_of: tuple[str, str] = ("", "")
) -> Iterator[Manifest | Unreadable]:
    """The object, or the items of a List; those of a typed list may leave out what they are."""
    line = document.line_of(path)
    if not isinstance(value, dict):
        yield _wrong(origin, line, "must be a Kubernetes object", stranger=not path)
        return
    api_version = text_at(value, "apiVersion") or list_of[0]
    kind = text_at(value, "kind") or list_of[1]
    if not (api_version and kind):
        missing = "kind" if api_version else "apiVersion"
        message = f"must have apiVersion and kind: {missing} is missing"
        yield _wrong(origin, line, message, stranger=not (api_version or kind))
        return
    items = value.get("items")
    if kind.endswith("List") and isinstance(items, list):
        of = ("", "") if kind == "List" else (api_version, kind.removesuffix("List"))
        for index, item in enumerate(items):
            yield from _objects(origin, document, item, f"{path}.items[{index}]".lstrip("."), of)
        return
    if template := _template(value):
        message = f"{template}: holds a template; render it first"
        yield _wrong(origin, document.line_of(f"{path}.{template}".lstrip(".")), message)
        return
    yield Manifest(origin, document, path, api_version, kind, _as_sent(value, api_version))


def _template(obj: dict[str, Any]) -> str | None:
    """Where a name is a template: no name can hold braces, while other text may well."""
    for field in ("name", "generateName", "namespace"):
        if "{{" in text_at(obj, "metadata", field):
            return f"metadata.{field}"
    return None


def text_at(value: Any, *fields: str) -> str:
    """The text at a field, "" where there is none or where it is no text."""
    for field in fields:
        value = value.get(field) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _as_sent(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
    """The object without the nulls that the API server drops before it asks anybody.

    Of a custom kind that depends on its schema, which nobody knows here; so there they are kept,
    but for the metadata, which every kind has alike.
    """
    group = api_version.rpartition("/")[0]
    if "." not in group or group.endswith(".k8s.io"):
        return {key: _without_nulls(one) for key, one in obj.items() if one is not None}
    return {**obj, "metadata": _without_nulls(obj.get("metadata") or {})}


def _without_nulls(value: Any) -> Any:
    """Fields set to null are as good as absent to the API server; elements of lists are not."""
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    return value
