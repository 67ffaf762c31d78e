"""The fields of a struct in words: type, default and the sentence about it in the docstring.

A docstring documents a field as ``name: text``, further lines indented. `netreeve explain`, the
JSON Schema and the documentation all say what is read here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec

from policies.selectors import LabelSelector
from webhook.config.convert import choices_of, either


class Parameter(NamedTuple):
    """One field. default: as it would be written in the file, "" where there is none."""

    name: str
    type: str
    default: str
    text: str
    required: bool = False


def parameters(struct: type[msgspec.Struct]) -> list[Parameter]:
    """The fields of a struct, those of structs inside as ``field[].inner``."""
    said, found = field_texts(struct), list[Parameter]()
    for field in msgspec.structs.fields(struct):
        text = said.get(field.name, "")
        found.append(
            Parameter(field.name, words(field.type), _default(field), text, field.required)
        )
        inner, is_list = _element(field.type)
        if _is_struct(inner) and inner is not LabelSelector:
            prefix = f"{field.name}[]." if is_list else f"{field.name}."
            found += [one._replace(name=prefix + one.name) for one in parameters(inner)]
    return found


def structs_in(struct: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    """The struct and those that its fields hold."""
    yield struct
    for field in msgspec.structs.fields(struct):
        inner, _ = _element(field.type)
        if _is_struct(inner):
            yield from structs_in(inner)


_FIELD = re.compile(r"^(\w+(?:, \w+)*): (.*(?:\n+ +.*)*)", re.MULTILINE)


def field_texts(struct: type[msgspec.Struct]) -> dict[str, str]:
    """What the docstring says of each field, as one line of Markdown."""
    return {
        name: " ".join(found[2].replace("``", "`").split())
        for found in _FIELD.finditer(inspect.cleandoc(struct.__doc__ or ""))
        for name in found[1].split(", ")
    }


def words(of: Any) -> str:
    """A type as a person would say it: ``list of: whole number from 1 to 65535``."""
    origin, arguments = get_origin(of), get_args(of)
    if origin is Annotated:
        return _limited(arguments)
    if choices := choices_of(of):
        return either(choices)
    if origin in (Union, UnionType):
        return " or ".join(words(one) for one in arguments if one is not NoneType)
    if origin in (tuple, list, frozenset):
        return f"list of: {words(arguments[0])}"
    if origin in (dict, Mapping):
        return f"mapping of {words(arguments[0])} to {words(arguments[1])}"
    return _NAMES.get(of, "mapping")


_NAMES = {
    str: "text",
    int: "whole number",
    bool: "true or false",
    float: "number",
    Any: "anything",
    LabelSelector: "label selector",
}


def _limited(arguments: tuple[Any, ...]) -> str:
    """An annotated type with its range, where it has one; a pattern says nothing to people."""
    of, *constraints = arguments
    for one in constraints:
        if isinstance(one, msgspec.Meta) and one.ge is not None and one.le is not None:
            return f"{words(of)} from {one.ge} to {one.le}"
    return words(of)


def _element(of: Any) -> tuple[Any, bool]:
    """What is in a list or optional field, and whether it is a list."""
    origin, arguments = get_origin(of), get_args(of)
    if origin is Annotated:
        return _element(arguments[0])
    if origin in (Union, UnionType):
        return _element(next(one for one in arguments if one is not NoneType))
    if origin in (tuple, list, frozenset):
        return _element(arguments[0])[0], True
    return of, False


def _is_struct(of: Any) -> bool:
    return isinstance(of, type) and issubclass(of, msgspec.Struct)


def _default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    return "" if value is None or value is msgspec.NODEFAULT else written(value)


def written(value: Any) -> str:
    """A value as it is written in the file, as flow-style YAML; sets in order."""
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, (Mapping, msgspec.Struct)):
        pairs = msgspec.to_builtins(value).items()
        return f"{{{', '.join(f'{key}: {written(one)}' for key, one in pairs)}}}"
    return msgspec.json.encode(value).decode()
