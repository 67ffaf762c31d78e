"""Values and positions from the events of the YAML parser, in one pass.

Owns anchors, merge keys, duplicate keys and the limits of nesting and aliases. Knows no separators
between documents that could be read one by one, and no JSON that is not YAML.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from webhook.config.positions import Document, Position, Problem, key_path
from webhook.config.scalars import ScalarError, key_text, scalar

DEEPEST = 200
"""Levels of nesting; the deepest real objects (schemas in CRDs) have about 60."""
MOST_ALIASED = 100_000
"""Values that aliases may add to a document: a bomb of a few lines has billions."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class TooMuchError(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _Node(NamedTuple):
    value: Any
    position: Position
    size: int


class Builder:
    """Builds values from the events of the parser, in one pass.

    Events and not PyYAML's own composer, because that recurses in C without a limit.
    """

    def __init__(self, text: str, line: int) -> None:
        """``text`` begins on ``line``."""
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=_Loader))
        self._line = line
        self._starts = _starts_of_lines(text) if _OTHER_BREAK.search(text) else None
        self._start()

    def _start(self) -> None:
        self._anchors: dict[str, _Node | None] = {}
        self._problems: list[Problem] = []
        self._repeated: list[Problem] = []
        self._path: list[str | int] = []
        self._count = self._aliased = self._depth = 0

    def documents(self) -> Iterator[Document]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._start()
                node = self._node(next(self._events))
                problems, repeated = tuple(self._problems), tuple(self._repeated)
                yield Document(node.value, node.position, problems, repeated)

    def _position(self, mark: Any) -> Position:
        if self._starts is None:
            return Position(self._line + mark.line, mark.column + 1)
        line = bisect_right(self._starts, mark.index) - 1
        return Position(self._line + line, mark.index - self._starts[line] + 1)

    def _node(self, event: Any) -> _Node:
        position = self._position(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, position)
        self._count += 1
        before = self._count
        if event.anchor:
            self._anchors[event.anchor] = None  # not complete: an alias inside would have no end
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(self._scalar(event, position), position, 1)
        else:
            value, position = self._collection(event, position)
            node = _Node(value, position, self._count - before + 1)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _scalar(self, event: Any, position: Position) -> Any:
        try:
            return scalar(event)
        except ScalarError as error:
            self._problems.append(self._here(str(error), position))
            return ""

    def _collection(self, event: Any, position: Position) -> tuple[Any, Position]:
        if self._depth >= DEEPEST:
            raise TooMuchError(f"is nested more than {DEEPEST} levels deep", position.line)
        self._depth += 1
        values: Any
        children: dict[str, Position] | list[Position]
        if isinstance(event, yaml.MappingStartEvent):
            values, children = self._mapping()
        else:
            values, children = self._sequence()
        self._depth -= 1
        return values, Position(position.line, position.column, children)

    def _alias(self, name: str | None, position: Position) -> _Node:
        node = self._anchors.get(name or "")
        if node is None:
            why = "contains itself" if name in self._anchors else "is not defined"
            raise TooMuchError(f"anchor {name!r} {why}", position.line)
        self._count += node.size
        self._aliased += node.size
        if self._aliased > MOST_ALIASED:
            raise TooMuchError(f"aliases add more than {MOST_ALIASED:,} values", position.line)
        return node._replace(position=position._replace(children=node.position.children))

    def _sequence(self) -> tuple[list[Any], list[Position]]:
        values: list[Any] = []
        positions: list[Position] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._path.append(len(values))
            value, position, _ = self._node(event)
            self._path.pop()
            values.append(value)
            positions.append(position)
        return values, positions

    def _mapping(self) -> tuple[dict[str, Any], dict[str, Position]]:
        values: dict[str, Any] = {}
        positions: dict[str, Position] = {}
        own: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            merge = _is_merge(event)
            name = self._node(event)
            key = "<<" if merge else key_text(name.value)
            self._path.append(key or "")
            value = self._node(next(self._events))
            if merge:
                self._merge(value, values, positions)
            elif key is None:
                self._problems.append(self._here("has a key that is no text", name.position))
            else:
                if key in own:
                    message = f"is set twice, first on line {own[key]}"
                    self._repeated.append(self._here(message, name.position))
                own.setdefault(key, name.position.line)
                values[key] = value.value
                line, column, _ = name.position
                positions[key] = Position(line, column, value.position.children)
            self._path.pop()
        return values, positions

    def _merge(self, node: _Node, values: dict[str, Any], positions: dict[str, Position]) -> None:
        """What ``<<`` brings in, at its place: later keys win over earlier ones, as in kubectl.

        YAML says that keys of the mapping itself win wherever they stand; goyaml.v2 does not.
        What is brought in is where it is written down: there it can be corrected.
        """
        several = isinstance(node.value, list)
        sources = node.value if several else [node.value]
        places = node.position.children if several else [node.position]
        assert isinstance(places, list)
        for source, place in zip(reversed(sources), reversed(places), strict=True):
            if not isinstance(source, dict):
                self._problems.append(self._here("must be a mapping", node.position))
                continue
            assert isinstance(place.children, dict)
            values |= source
            positions |= place.children

    def _here(self, message: str, position: Position) -> Problem:
        path = ""
        for key in self._path:
            path = path if key == "" else key_path(path, key)
        return Problem(path, message, position.line)


_OTHER_BREAK = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
"""Breaks for YAML and for hardly any editor: with them, the lines of the parser are not ours."""


def _starts_of_lines(text: str) -> list[int]:
    return [0, *(found.end() for found in re.finditer("\n", text))]


def _is_merge(event: Any) -> bool:
    if not isinstance(event, yaml.ScalarEvent) or event.value != "<<":
        return False
    return bool(event.implicit[0]) or event.tag == "tag:yaml.org,2002:merge"
