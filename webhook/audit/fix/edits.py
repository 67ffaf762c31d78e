"""One remedy as an edit of YAML or JSON text: a few characters replaced or put in.

Everything else of the text stays as it is. Knows no file and no policy, and gives up where an edit
would touch more than one place: what comes from an anchor is not edited.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import yaml

from policies.model import Remedy

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Element = dict[str, int | str]


class Edit(NamedTuple):
    """``text`` instead of the characters from ``start`` to ``end``."""

    start: int
    end: int
    text: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]


class CannotError(Exception):
    """Why a remedy cannot be made an edit here."""


def edit(text: str, root: tuple[str | int, ...], remedy: Remedy) -> Edit:
    """The edit of one document. root: where the object is in it. Raises CannotError."""
    try:
        node: Any = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise CannotError("stands where there is more than one YAML document") from error
    parent, steps = node, [*root, *remedy.path]
    while steps and (child := _child(node, steps[0])) is not None:
        parent, node = node, child
        steps.pop(0)
    if not remedy.insert:
        return _put(text, node, steps, remedy.value) if steps else _replace(node, remedy.value)
    assert isinstance(remedy.value, dict)
    if len(steps) > 1:
        return _put(text, node, steps[:-1], [remedy.value])
    return _fill(node, remedy.value) if steps else _insert(text, parent, node, remedy.value)


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    """Raises CannotError for an alias: it stands for something further above."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        before = [node, *node.value[:step]]
        child: yaml.Node = node.value[step]
    elif isinstance(node, yaml.MappingNode):
        pair = next((pair for pair in node.value if pair[0].value == step), None)
        if pair is None:
            return None
        before, child = [pair[0]], pair[1]
    else:
        return None
    if child.start_mark.index < max(one.start_mark.index for one in before):
        raise CannotError("comes from an anchor")
    return child


def _replace(node: yaml.Node, value: Any) -> Edit:
    start, end = node.start_mark, node.end_mark
    if not isinstance(node, yaml.ScalarNode) or start.line != end.line:
        raise CannotError("is more than a value on one line")
    if start.index == end.index:
        raise CannotError("has no value")
    return Edit(start.index, end.index, json.dumps(value, ensure_ascii=False))


def _put(text: str, node: yaml.Node, steps: list[str | int], value: Any) -> Edit:
    """A new key in a mapping, with what is below it; in front, where nothing can be in the way."""
    if not isinstance(node, yaml.MappingNode):
        raise CannotError("is no mapping")
    keys = [json.dumps(step, ensure_ascii=False) for step in steps]
    if node.flow_style:
        written = json.dumps(value, ensure_ascii=False)
        for key in reversed(keys[1:]):
            written = f"{{{key}: {written}}}"
        at, comma = node.start_mark.index + 1, ", " if node.value else ""
        return Edit(at, at, f"{keys[0]}: {written}{comma}")
    lines = [f"{'  ' * depth}{_plain(key)}:" for depth, key in enumerate(keys)]
    if isinstance(value, list):
        lines += [f"{'  ' * len(keys)}{line}" for one in value for line in _element(one)]
    else:
        lines[-1] += f" {json.dumps(value, ensure_ascii=False)}"
    return _above(text, node.start_mark.index, lines)


def _fill(node: yaml.Node, value: Element) -> Edit:
    """The first element of a list that has none."""
    if not isinstance(node, yaml.SequenceNode) or node.value:
        raise CannotError("is no list")
    at = node.start_mark.index + 1
    return Edit(at, at, json.dumps(value))


def _insert(text: str, parent: yaml.CollectionNode, node: yaml.Node, value: Element) -> Edit:
    """A new element in front of one."""
    at = node.start_mark.index
    if parent.flow_style:
        return Edit(at, at, f"{json.dumps(value)}, ")
    dash = text.rfind("-", 0, at)
    if text[dash + 1 : at].strip(" "):
        raise CannotError("stands apart from its dash")
    return _above(text, dash, _element(value))


def _element(value: Element) -> list[str]:
    """The lines of an element of a list."""
    lines = [f"  {key}: {_plain(json.dumps(one))}" for key, one in value.items()]
    return [f"- {lines[0].lstrip()}", *lines[1:]]


def _above(text: str, at: int, lines: list[str]) -> Edit:
    """Lines in front of what stands there, and of the comments right above that belong to it."""
    start = text.rfind("\n", 0, at) + 1
    column = at - start
    if not text[start:at].strip():
        while start:
            before = text.rfind("\n", 0, start - 1) + 1
            line = text[before:start]
            if line[:column].strip() or line[column : column + 1] != "#":
                break
            start, at = before, before + column
    return Edit(at, at, _block(text, lines, column))


def _block(text: str, lines: list[str], column: int) -> str:
    """Lines at a column, each in front of what stands there."""
    end = "\r\n" if "\r\n" in text else "\n"
    return "".join(f"{line}{end}{' ' * column}" for line in lines)


_PLAIN = re.compile(r'"([A-Za-z][A-Za-z0-9]*([-./][A-Za-z0-9]+)*)"')
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def _plain(word: str) -> str:
    """A name of a field, an annotation or a protocol without its quotes."""
    found = _PLAIN.fullmatch(word)
    return found[1] if found and found[1].lower() not in _WORDS else word
