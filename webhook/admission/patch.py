"""One RFC 6902 patch from a view before and after editing.

The views hold only what policies read, so a list is never replaced: existing elements are
compared field by field and new ones appended. Parents that are absent are added whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

Operation = dict[str, Any]


def shell(view: msgspec.Struct) -> msgspec.Struct:
    """A view to be compared with once fields of ``view`` or of its direct parts were assigned.

    What is deeper is shared: decoding or copying that costs more than all that edits it.
    """
    kept = replace(view)
    for name in view.__struct_fields__:
        part = getattr(view, name)
        if isinstance(part, msgspec.Struct):
            setattr(kept, name, replace(part))
    return kept


def diff(before: Any, after: Any, path: str = "") -> Iterator[Operation]:
    """Operations that turn the object behind ``before`` into the one behind ``after``.

    Raises ValueError when a list lost elements, which a view cannot express.
    """
    if before is None or type(before) is not type(after):
        yield from _set(before, after, path)
    elif isinstance(before, msgspec.Struct):
        for name in before.__struct_fields__:
            old, new = getattr(before, name), getattr(after, name)
            if old is not new and old != new:  # most of an object is equal: not walked
                yield from diff(old, new, f"{path}/{name}")
    elif isinstance(before, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from diff(before.get(key), after.get(key), f"{path}/{escape(key)}")
    elif isinstance(before, list):
        yield from _extend(before, after, path)
    elif before != after:
        yield from _set(before, after, path)


def _set(before: Any, after: Any, path: str) -> Iterator[Operation]:
    if after is not None:
        op = "add" if before is None else "replace"
        yield {"op": op, "path": path, "value": msgspec.to_builtins(after)}
    elif before is not None:
        yield {"op": "remove", "path": path}


def _extend(before: list[Any], after: list[Any], path: str) -> Iterator[Operation]:
    if len(after) < len(before):
        raise ValueError(f"{path}: a list can only be appended to")
    for index, (old, new) in enumerate(zip(before, after, strict=False)):
        if old is not new:
            yield from diff(old, new, f"{path}/{index}")
    for value in after[len(before) :]:
        yield {"op": "add", "path": f"{path}/-", "value": msgspec.to_builtins(value)}


def escape(key: str) -> str:
    """A key as one token of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
