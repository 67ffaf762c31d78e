"""Where in a text a value is: field paths as Kubernetes writes them, and their places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """Why a text cannot be used: where, as a field path ("" for all of it) and a line from 1."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class Position(NamedTuple):
    """Where a value starts, and the positions of what it holds, by key or index.

    Of a value with a key: where the key starts. line and column count from 1, the column in
    characters.
    """

    line: int
    column: int = 1
    children: dict[str, Position] | list[Position] | None = None


def key_path(parent: str, key: str | int) -> str:
    """``parent.key``, ``parent[0]``, or ``parent[example.com/key]`` for keys that hold dots."""
    if isinstance(key, int):
        return f"{parent}[{key}]"
    if not re.fullmatch(r"[\w$-]+", key):
        return f"{parent}[{key}]"
    return f"{parent}.{key}" if parent else key


def nearest(position: Position, path: str) -> Position:
    """Follows ``path`` as far as it leads; keys with dots are in brackets."""
    while path:
        children = position.children
        step, path = _step(path, children if isinstance(children, dict) else {})
        child: Position | None = None
        if isinstance(children, dict):
            child = children.get(step)
        elif isinstance(children, list) and step.isdigit() and int(step) < len(children):
            child = children[int(step)]
        if child is None:
            return position
        position = child
    return position


@dataclass(frozen=True)
class Document:
    """One document of a text.

    value: None for an empty document. problems: why ``value`` must not be trusted, if any.
    repeated: keys that are set more than once, of which ``value`` has the last, as in kubectl.
    line: of its first value.
    """

    value: Any
    position: Position
    problems: tuple[Problem, ...] = ()
    repeated: tuple[Problem, ...] = ()

    @property
    def line(self) -> int:
        return self.position.line

    def position_of(self, path: str) -> Position:
        """Where ``spec.ports[0].nodePort`` is, or its nearest parent that is written down."""
        return nearest(self.position, path)

    def line_of(self, path: str) -> int:
        """The line of `position_of`."""
        return self.position_of(path).line


_STEP = re.compile(r"\.?(?:\[(.*?)\]|([^.\[]+))")


def _step(path: str, keys: dict[str, Position]) -> tuple[str, str]:
    """The first key or index of a path, and the rest; ``keys`` tell where a key holds dots."""
    bare = path.removeprefix(".")
    for key in keys:
        if "." in key and bare.startswith(key) and bare[len(key) : len(key) + 1] in ("", ".", "["):
            return key, bare[len(key) :]
    found = _STEP.match(path)
    if found is None:
        return path, ""
    return found[1] if found[1] is not None else found[2], path[found.end() :]
