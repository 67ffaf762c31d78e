"""From plain values to msgspec structs, with every error and not only the first.

Walks the annotations of the structs and converts leaf by leaf. Knows no particular schema: a
struct says what it accepts by its types, its Meta constraints and ValueError in __post_init__.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from webhook.config.positions import Problem, key_path

BROKEN: Any = msgspec.UNSET
"""Stands for a value that has problems."""


class Converter:
    """Collects in ``problems`` what is wrong with the values it is given."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def convert(self, value: Any, to: Any, path: str = "") -> Any:
        """``value`` as the type ``to``; BROKEN, or a struct that holds defaults, on problems."""
        to = _arm(to, value)
        origin = get_origin(to)
        if origin is Annotated:
            return self._annotated(value, to, path)
        if isinstance(to, type) and issubclass(to, msgspec.Struct) and isinstance(value, dict):
            return self.struct(value, to, path)
        if origin in (tuple, list, frozenset, set) and isinstance(value, (list, tuple)):
            of = get_args(to)[0]
            items = [self.convert(one, of, key_path(path, at)) for at, one in enumerate(value)]
            return origin(one for one in items if one is not BROKEN)
        if origin in (dict, Mapping) and isinstance(value, dict):
            return self._dict(value, to, path)
        return self.leaf(value, to, path)

    def _dict(self, value: dict[str, Any], to: Any, path: str) -> dict[Any, Any]:
        keys, values = get_args(to)
        found: dict[Any, Any] = {}
        for key, one in value.items():
            at = key_path(path, key)
            found[self.leaf(key, keys, at)] = self.convert(one, values, at)
        return {key: one for key, one in found.items() if BROKEN not in (key, one)}

    def _annotated(self, value: Any, to: Any, path: str) -> Any:
        """First what it holds, each with its path, then the constraints on the whole."""
        before = len(self.problems)
        found = self.convert(value, get_args(to)[0], path)
        if len(self.problems) > before:
            return found
        return found if self.leaf(value, to, path) is not BROKEN else BROKEN

    def struct(self, value: dict[str, Any], to: type[msgspec.Struct], path: str) -> Any:
        """A struct; on problems with a default, or None where there is none, in their place.

        So the rest of it can be judged further. A struct that checks itself is BROKEN instead.
        """
        before = len(self.problems)
        fields = {field.name: field for field in msgspec.structs.fields(to)}
        self.unknown_keys(value, fields, path)
        found: dict[str, Any] = {}
        for name, field in fields.items():
            if name in value:
                one = self.convert(value[name], field.type, key_path(path, name))
                if one is not BROKEN:
                    found[name] = one
            elif field.required:
                self.problem(key_path(path, name), "is required")
        if len(self.problems) == before:
            return self._build(to, found, path)
        if hasattr(to, "__post_init__"):
            return BROKEN
        return to(**{name: None for name, field in fields.items() if field.required} | found)

    def unknown_keys(self, value: Iterable[str], known: Iterable[str], path: str) -> None:
        """A problem for each key that is not known, with the one that was probably meant."""
        names = sorted(known)
        for key in value:
            if key not in names:
                self.problem(key_path(path, key), f"is no known field{suggestion(key, names)}")

    def _build(self, to: type[msgspec.Struct], values: dict[str, Any], path: str) -> Any:
        try:
            return to(**values)
        except ValueError as error:
            self.problem(path, str(error))
            return BROKEN

    def leaf(self, value: Any, to: Any, path: str) -> Any:
        """A value that holds no others, or one of the wrong type."""
        if value is False and "Off" in choices_of(to):
            value = "Off"  # what YAML 1.1 takes for a boolean was meant as a word
        try:
            return msgspec.convert(value, to)
        except msgspec.ValidationError as error:
            self.problem(path, _said(value, to, str(error)))
            return BROKEN


def suggestion(word: str, known: Iterable[str]) -> str:
    """``; did you mean x?``, else what there is to choose from."""
    names = {name.lower(): name for name in sorted(known)}
    close = difflib.get_close_matches(word.lower(), names, n=1)
    if close:
        return f"; did you mean {names[close[0]]}?"
    return f"; known are {', '.join(names.values())}" if names else ""


def _arm(to: Any, value: Any) -> Any:
    """The arm of ``X | None`` that a value is for."""
    if get_origin(to) in (Union, UnionType) and value is not None:
        arms = [arm for arm in get_args(to) if arm is not NoneType]
        return arms[0] if len(arms) == 1 else to
    return to


_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def _said(value: Any, to: Any, error: str) -> str:
    """What must hold, in the words of the file rather than of the library."""
    what = re.sub(
        r"`(\w+)`", lambda name: _WORDS.get(name[1], name[0]), error.partition(" - at `")[0]
    )
    what = what.replace(r"\\", "\\")  # msgspec writes a pattern as Python would
    expected, _, got = what.removeprefix("Expected ").partition(", got ")
    if choices := choices_of(to):
        expected = either(choices)
    elif expected == what:
        return f"is not valid: {what}"
    return f"must be {expected}, not {got or repr(value)}"


def choices_of(to: Any) -> list[str]:
    """The texts that an enum or a Literal accepts; none for other types."""
    if get_origin(to) is Literal:
        return [str(one) for one in get_args(to)]
    if isinstance(to, type) and issubclass(to, enum.Enum):
        return [str(one.value) for one in to]
    return []


def either(words: Sequence[str]) -> str:
    """``a, b or c``"""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
