"""What a YAML scalar means to Kubernetes: text, number, boolean or null.

Follows the library of kubectl (kubernetes-sigs/yaml, goyaml.v2/resolve.go): the booleans of
YAML 1.1, octal numbers, neither timestamps nor base-60 numbers.
"""

from __future__ import annotations

import math
import re
from typing import Any

_TRUE = frozenset(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE = frozenset(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_INT = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASES = (16, 2, 8, 10)
_FIRST = frozenset("+-.0123456789")


def scalar(event: Any) -> Any:
    """The value of a scalar event of PyYAML: only plain text without a tag can be no string."""
    tag = (event.tag or "").removeprefix("tag:yaml.org,2002:")
    plain = event.implicit[0] and not event.style
    if not plain and tag not in {"int", "float", "bool", "null"}:
        return event.value
    return _resolve(event.value)


def _resolve(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text[0] not in _FIRST:
        return text
    digits = text.replace("_", "")
    if found := _INT.fullmatch(digits):
        sign, *groups = found.groups()
        number = next(int(group, base) for group, base in zip(groups, _BASES, strict=True) if group)
        return _integer(-number if sign == "-" else number)
    if _FLOAT.fullmatch(digits):
        return _float(float(digits), text)
    return text


def _integer(number: int) -> int | float:
    """JSON written by Go holds integers of 64 bits; what is larger loses digits."""
    return number if -(2**63) <= number < 2**64 else float(number)


def _float(number: float, text: str) -> float | int | str:
    """As Go's JSON encoder writes it: a whole number is an integer, one out of range is text."""
    if math.isinf(number):
        return text
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


def key_text(value: Any) -> str | None:
    """A key as it is in JSON; None where a value can be no key."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return value if isinstance(value, str) else None
