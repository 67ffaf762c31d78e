"""Where in a text a value is: field paths as Kubernetes writes them, and their lines."""

from __future__ import annotations

import re
from typing import NamedTuple


class Problem(NamedTuple):
    """Why a text cannot be used: where, as a field path ("" for all of it) and a line from 1."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class Position(NamedTuple):
    """The line of a value and the positions of what it holds, by key or index."""

    line: int
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
