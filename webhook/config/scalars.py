"""What a YAML scalar means to Kubernetes: text, number, boolean or null.

Follows the library of kubectl (kubernetes-sigs/yaml, goyaml.v2/resolve.go): the booleans of
YAML 1.1, octal numbers, neither timestamps nor base-60 numbers.
"""

from __future__ import annotations

import base64
import math
import re
from typing import Any

_TRUE = frozenset(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE = frozenset(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_INT = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASES = (16, 2, 8, 10)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9].*)?")
_NOT_IN_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_YAML = "tag:yaml.org,2002:"
_TYPES = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}
_MOST_DIGITS = 400
"""No number in JSON has more: it would not fit into 64 bits, nor into a float."""
_FIRST = frozenset("+-.0123456789")


class ScalarError(ValueError):
    """A value that kubectl refuses as well; the text says what it must be."""


def scalar(event: Any) -> Any:
    """The value of a scalar event of PyYAML. Raises ScalarError.

    Of the tags only those of YAML itself mean something; the values of others are text.
    """
    tag = event.tag or ""
    if not tag:
        return _resolve(event.value) if event.implicit[0] and not event.style else event.value
    kind = tag.removeprefix(_YAML)
    if kind == tag or kind not in {*_TYPES, "binary", "timestamp"}:
        return event.value
    if kind == "binary":
        return _binary(event.value)
    if kind == "timestamp":
        if not _DATE.fullmatch(event.value):
            raise ScalarError("must be a date, as its tag !!timestamp says")
        return event.value
    value = _resolve(event.value)
    if type(value) not in _TYPES[kind] or (kind == "int" and not _is_int(event.value)):
        raise ScalarError(f"must be of the type that its tag !!{kind} says")
    return value


def _binary(text: str) -> str:
    """Bytes that are no UTF-8 become U+FFFD, as in Go's JSON."""
    digits = text.replace("\r", "").replace("\n", "")
    try:
        if len(digits) % 4:
            raise ValueError
        return base64.b64decode(digits, validate=True).decode(errors="replace")
    except ValueError:
        raise ScalarError("must be base64, as its tag !!binary says") from None


def _is_int(text: str) -> bool:
    """Not so 1.0, nor what has more than 64 bits."""
    digits = text.replace("_", "")
    return bool(_INT.fullmatch(digits)) and isinstance(_resolve(text), int)


def _resolve(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text[0] not in _FIRST:
        return text
    if _NOT_IN_JSON.fullmatch(text):
        raise ScalarError("must be a finite number")
    digits = text.replace("_", "")
    if found := _INT.fullmatch(digits):
        sign, *groups = found.groups()
        return integer(*next(one for one in zip(groups, _BASES, strict=True) if one[0]), sign)
    if _FLOAT.fullmatch(digits):
        return _float(float(digits), text)
    return text


def integer(digits: str, base: int = 10, sign: str = "") -> int | float:
    """JSON written by Go holds integers of 64 bits; what is larger loses digits.

    Raises ScalarError for one that does not even fit into a float.
    """
    try:
        if len(digits) > _MOST_DIGITS:
            raise OverflowError
        number = int(sign + digits, base)
        return number if -(2**63) <= number < 2**64 else float(number)
    except OverflowError:
        raise ScalarError("is too large a number") from None


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
