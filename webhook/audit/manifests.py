"""Objects in manifests: files, folders and standard input, each with the place it was found at.

Reads as kubectl does: several documents in a file, lists of objects, YAML or JSON. What cannot be
read is reported where it is, and the rest is read on. Knows no policy and gives no verdict.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from webhook.audit.findings import Unreadable
from webhook.config.yamltext import Document, decode, documents

STDIN = "-"
ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Manifest:
    """One object: what it says of itself, and where it stands.

    path: of the object in its document, "" unless it is an item of a List.
    """

    file: str
    document: Document
    path: str
    api_version: str
    kind: str
    object: dict[str, Any]

    @property
    def line(self) -> int:
        return self.document.line_of(self.path)

    def line_of(self, field: str) -> int:
        """The line of a field of the object, or of its nearest parent that is written down."""
        return self.document.line_of(f"{self.path}.{field}".lstrip("."))


@dataclass(frozen=True)
class Stranger:
    """A document in a folder that is no Kubernetes object, such as the values of a chart."""

    file: str
    line: int


Input = Manifest | Unreadable | Stranger


def read(paths: Iterable[str], stdin: BinaryIO | None) -> Iterator[Input]:
    """Everything at ``paths``, in order; ``-`` is standard input, folders are read recursively."""
    for path in paths:
        if path == STDIN:
            yield from _standard_input(stdin)
        elif os.path.isdir(path):
            yield from _folder(path)
        else:
            yield from _file(path)


def _standard_input(stdin: BinaryIO | None) -> Iterator[Input]:
    """Nothing at all is what a command that failed leaves in a pipe, and no clean result."""
    data = stdin.read() if stdin else None
    if data is None:
        yield Unreadable(STDIN, None, "standard input is closed")
    elif not data.strip():
        yield Unreadable(STDIN, None, "standard input is empty: did the command before it fail?")
    else:
        yield from parse(data, STDIN)


def parse(data: bytes, file: str) -> Iterator[Manifest | Unreadable]:
    """The objects in the content of a file; ``file`` is its name, of whatever bytes."""
    file = _name(file)
    try:
        text = decode(data)
    except ValueError:
        yield Unreadable(file, None, "is not UTF-8 text")
        return
    for document in documents(text):
        try:
            yield from tuple(_found(file, document, text))
        except Exception as error:
            message = f"could not be read: {type(error).__name__}"
            yield Unreadable(file, document.line, message)


def _found(file: str, document: Document, text: str) -> Iterator[Manifest | Unreadable]:
    if document.problems:
        yield from _unreadable(file, document, text)
    elif document.value is not None:
        yield from _objects(file, document, document.value, "")


def _folder(path: str) -> Iterator[Input]:
    closed: list[OSError] = []
    files = sorted(
        os.path.normpath(os.path.join(folder, name))
        for folder, _, names in os.walk(path, onerror=closed.append)
        for name in names
        if name.endswith(ENDINGS)
    )
    for error in closed:
        yield _failed(str(error.filename), error)
    if not (files or closed):
        yield Unreadable(path, None, f"holds no file that ends in {', '.join(ENDINGS)}")
    for file in files:
        for found in _file(file):
            # Repositories hold other YAML beside manifests; a file that is named is a manifest.
            if isinstance(found, Unreadable) and found.stranger:
                yield Stranger(file, found.line or 1)
            else:
                yield found


def _file(path: str) -> Iterator[Manifest | Unreadable]:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        yield _failed(path, error)
        return
    yield from parse(data, path)


def _failed(path: str, error: OSError) -> Unreadable:
    return Unreadable(_name(path), None, error.strerror or str(error))


def _name(path: str) -> str:
    """A path as text: file names may be any bytes."""
    return path.encode(errors="backslashreplace").decode()


def _unreadable(file: str, document: Document, text: str) -> Iterator[Unreadable]:
    lines = text.splitlines()
    for problem in document.problems:
        message = f"{problem.path}: {problem.message}" if problem.path else problem.message
        line = problem.line or document.line
        if any("{{" in one for one in lines[max(0, line - 2) : line + 1]):
            message = f"{message}; it looks like a template: render it first"
        yield Unreadable(file, line, message)


def _objects(
    file: str, document: Document, value: Any, path: str, list_of: tuple[str, str] = ("", "")
) -> Iterator[Manifest | Unreadable]:
    """The object, or the items of a List; those of a typed list may leave out what they are."""
    line = document.line_of(path)
    if not isinstance(value, dict):
        yield Unreadable(file, line, "must be a Kubernetes object", stranger=not path)
        return
    api_version = text_at(value, "apiVersion") or list_of[0]
    kind = text_at(value, "kind") or list_of[1]
    if not (api_version and kind):
        missing = "kind" if api_version else "apiVersion"
        message = f"must have apiVersion and kind: {missing} is missing"
        yield Unreadable(file, line, message, stranger=not (api_version or kind))
        return
    items = value.get("items")
    if kind.endswith("List") and isinstance(items, list):
        of = ("", "") if kind == "List" else (api_version, kind.removesuffix("List"))
        for index, item in enumerate(items):
            yield from _objects(file, document, item, f"{path}.items[{index}]".lstrip("."), of)
        return
    if template := _template(value):
        message = f"{template}: holds a template; render it first"
        yield Unreadable(file, document.line_of(f"{path}.{template}".lstrip(".")), message)
        return
    yield Manifest(file, document, path, api_version, kind, _without_nulls(value))


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


def _without_nulls(value: Any) -> Any:
    """Fields set to null are as good as absent to the API server; elements of lists are not."""
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    return value
