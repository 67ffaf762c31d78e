"""YAML and JSON text as Kubernetes reads it: plain values, with the line of each of them.

Owns documents, duplicate keys, anchors and positions; what a scalar means is in `scalars`. Knows no
schema. Hostile text gives a problem: endless nesting, aliases that expand without end.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from webhook.config.positions import Position, Problem, key_path, nearest
from webhook.config.scalars import ScalarError, integer, key_text, scalar

DEEPEST = 200
"""Levels of nesting; the deepest real objects (schemas in CRDs) have about 60."""
MOST_ALIASED = 100_000
"""Values that aliases may add to a document: a bomb of a few lines has billions."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """One document of a text.

    value: None for an empty document. problems: why ``value`` must not be trusted, if any.
    line: of its first value.
    """

    value: Any
    position: Position
    problems: tuple[Problem, ...] = ()

    @property
    def line(self) -> int:
        return self.position.line

    def line_of(self, path: str) -> int:
        """The line of the value at ``spec.ports[0].nodePort``, or of its nearest parent."""
        return nearest(self.position, path).line


def documents(text: str) -> list[Document]:
    """Every document of a text, in order; one that cannot be read carries its problems."""
    found: list[Document] = []
    for chunk, line in _chunks(text):
        found += _read_yaml(chunk, line) or _read_json(chunk, line)
    return found


def decode(data: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 with a byte order mark. Raises ValueError."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_JSON = re.compile(r'(---)?\s*\{\s*["}]')
_SPACE = re.compile(r"\s*")
_NOTHING = re.compile(r"(\s|#[^\n]*(\n|$)|^%[^\n]*(\n|$))*", re.MULTILINE)


def _chunks(text: str) -> Iterator[tuple[str, int]]:
    """The text between separators with its first line, so that one error spoils one document."""
    starts = [0, *(match.start() for match in _SEPARATOR.finditer(text) if match.start())]
    line = 1
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        chunk = text[start:end]
        if not _NOTHING.fullmatch(chunk.removeprefix("---")):
            yield chunk, line
        line += chunk.count("\n")


def _read_yaml(text: str, line: int) -> list[Document]:
    """The YAML documents of a chunk; none where JSON should be tried instead."""
    try:
        return list(_Builder(text, line).documents())
    except yaml.YAMLError as error:
        if _JSON.match(text):
            return []
        return [_unreadable(_reason(error), line + _error_line(error, text))]
    except _TooMuchError as error:
        return [_unreadable(str(error), error.line)]


def _read_json(text: str, line: int) -> list[Document]:
    """JSON documents one after the other: escapes that YAML has not, such as surrogate pairs."""
    found: list[Document] = []
    at = _skip_space(text, len("---") if text.startswith("---") else 0)
    while at < len(text):
        here = line + text.count("\n", 0, at)
        document, at = _read_json_at(text, at, here)
        found.append(document)
        at = _skip_space(text, at)
    return found


def _read_json_at(text: str, at: int, line: int) -> tuple[Document, int]:
    """The document at ``at`` and where it ends; after an error nothing more can be read."""
    problems: list[Problem] = []
    decoder = json.JSONDecoder(
        object_pairs_hook=lambda pairs: _unique(pairs, problems, line),
        parse_int=integer,
        parse_float=_finite,
        parse_constant=_finite,
    )
    try:
        value, end = decoder.raw_decode(text, at)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        return _unreadable(error.msg, line + text.count("\n", at, error.pos)), len(text)
    except ScalarError as error:
        return _unreadable(str(error), line), len(text)
    except RecursionError:
        return _unreadable("is nested too deep", line), len(text)
    except UnicodeEncodeError:
        return _unreadable("holds half of a surrogate pair", line), len(text)
    return Document(value, Position(line), tuple(problems)), end


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ScalarError("is no number, or too large a one")
    return number


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _unique(pairs: list[tuple[str, Any]], problems: list[Problem], line: int) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [key for key, _ in pairs]
        twice = sorted(key for key in values if names.count(key) > 1)
        problems += [Problem(key, "is set twice", line) for key in twice]
    return values


def _unreadable(message: str, line: int) -> Document:
    return Document(None, Position(line), (Problem("", message, line),))


def _reason(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    return f"{context}: {problem}" if context else str(problem)


def _error_line(error: yaml.YAMLError, text: str) -> int:
    """The line, from 0, in the text; libyaml counts one more where it ends too soon."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return min(mark.line, text.rstrip().count("\n")) if mark else 0


def _is_merge(event: Any) -> bool:
    if not isinstance(event, yaml.ScalarEvent) or event.value != "<<":
        return False
    return bool(event.implicit[0]) or event.tag == "tag:yaml.org,2002:merge"


class _TooMuchError(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _Node(NamedTuple):
    value: Any
    position: Position
    size: int


class _Builder:
    """Builds values from the events of the parser, in one pass.

    Events and not PyYAML's own composer, because that recurses in C without a limit.
    """

    def __init__(self, text: str, line: int) -> None:
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=_Loader))
        self._line = line
        self._start()

    def _start(self) -> None:
        self._anchors: dict[str, _Node | None] = {}
        self._problems: list[Problem] = []
        self._path: list[str | int] = []
        self._count = self._aliased = self._depth = 0

    def documents(self) -> Iterator[Document]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._start()
                node = self._node(next(self._events))
                yield Document(node.value, node.position, tuple(self._problems))

    def _node(self, event: Any) -> _Node:
        line = self._line + event.start_mark.line
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, line)
        self._count += 1
        before = self._count
        if event.anchor:
            self._anchors[event.anchor] = None  # not complete: an alias inside would have no end
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(self._scalar(event, line), Position(line), 1)
        else:
            node = self._collection(event, line)._replace(size=self._count - before + 1)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _scalar(self, event: Any, line: int) -> Any:
        try:
            return scalar(event)
        except ScalarError as error:
            self._problem(str(error), line)
            return ""

    def _collection(self, event: Any, line: int) -> _Node:
        if self._depth >= DEEPEST:
            raise _TooMuchError(f"is nested more than {DEEPEST} levels deep", line)
        self._depth += 1
        build = self._mapping if isinstance(event, yaml.MappingStartEvent) else self._sequence
        node = build(line)
        self._depth -= 1
        return node

    def _alias(self, name: str | None, line: int) -> _Node:
        node = self._anchors.get(name or "")
        if node is None:
            why = "contains itself" if name in self._anchors else "is not defined"
            raise _TooMuchError(f"anchor {name!r} {why}", line)
        self._count += node.size
        self._aliased += node.size
        if self._aliased > MOST_ALIASED:
            raise _TooMuchError(f"aliases add more than {MOST_ALIASED:,} values", line)
        return node._replace(position=Position(line, node.position.children))

    def _sequence(self, line: int) -> _Node:
        values: list[Any] = []
        positions: list[Position] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._path.append(len(values))
            value, position, _ = self._node(event)
            self._path.pop()
            values.append(value)
            positions.append(position)
        return _Node(values, Position(line, positions), 0)

    def _mapping(self, line: int) -> _Node:
        values: dict[str, Any] = {}
        positions: dict[str, Position] = {}
        own: set[str] = set()
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            merge = _is_merge(event)
            name = self._node(event)
            key = "<<" if merge else key_text(name.value)
            self._path.append(key or "")
            value = self._node(next(self._events))
            if merge:
                self._merge(value, values, positions)
            elif key is None:
                self._problem("has a key that is no text", name.position.line)
            elif key in own:
                self._problem(
                    f"is set twice, first on line {positions[key].line}", name.position.line
                )
            else:
                own.add(key)
                values[key] = value.value
                positions[key] = Position(name.position.line, value.position.children)
            self._path.pop()
        return _Node(values, Position(line, positions), 0)

    def _merge(self, node: _Node, values: dict[str, Any], positions: dict[str, Position]) -> None:
        """What ``<<`` brings in, at its place: later keys win over earlier ones, as in kubectl.

        YAML says that keys of the mapping itself win wherever they stand; goyaml.v2 does not.
        """
        sources = node.value if isinstance(node.value, list) else [node.value]
        for source in reversed(sources):
            if not isinstance(source, dict):
                self._problem("must be a mapping", node.position.line)
                continue
            values |= source
            positions |= dict.fromkeys(source, Position(node.position.line))

    def _problem(self, message: str, line: int) -> None:
        path = ""
        for key in self._path:
            path = path if key == "" else key_path(path, key)
        self._problems.append(Problem(path, message, line))
