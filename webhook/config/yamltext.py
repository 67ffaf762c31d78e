"""YAML and JSON text as Kubernetes reads it: plain values, with the place of each of them.

Owns documents and what only JSON can say; the rest of YAML is in `yamlbuilder`, what a scalar means
in `scalars`. Knows no schema. Hostile text gives a problem: endless nesting, aliases that expand
without end.
"""

from __future__ import annotations

import io
import json
import math
import re
from typing import Any

import yaml

from webhook.config.chunks import chunks
from webhook.config.positions import Document, Position, Problem
from webhook.config.scalars import ScalarError, integer
from webhook.config.yamlbuilder import Builder, TooMuchError


def documents(text: str) -> list[Document]:
    """Every document of a text, in order; one that cannot be read carries its problems."""
    data = io.BytesIO(text.encode(errors="surrogatepass"))
    found: list[Document] = []
    for chunk in chunks(data):
        found += read(chunk.data.decode(errors="surrogatepass"), chunk.line)
    return found


def read(text: str, line: int) -> list[Document]:
    """The documents in one chunk of a text, which begins on ``line``."""
    if _NOTHING.fullmatch(text.removeprefix("---")):
        return []
    return _read_yaml(text, line) or _read_json(text, line)


def decode(data: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 with a byte order mark. Raises ValueError."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


_JSON = re.compile(r'(---)?\s*\{\s*["}]')
_SPACE = re.compile(r"\s*")
# Possessive, because nothing is gained by trying again with less: a licence above a manifest has
# more comment lines than there is time for all the ways to divide them.
_NOTHING = re.compile(r"(?:\s|(?:#|^%)[^\n]*+)*+", re.MULTILINE)


def _read_yaml(text: str, line: int) -> list[Document]:
    """The YAML documents of a chunk; none where JSON should be tried instead."""
    try:
        return list(Builder(text, line).documents())
    except yaml.YAMLError as error:
        if _JSON.match(text):
            return []
        return [_unreadable(_reason(error), line + _error_line(error, text))]
    except TooMuchError as error:
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
    repeated: list[Problem] = []
    decoder = json.JSONDecoder(
        object_pairs_hook=lambda pairs: _last(pairs, repeated, line),
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
    return Document(value, _json_position(text[:end], at, line), (), tuple(repeated)), end


_NOT_YAML = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\/|\t")


def _json_position(text: str, at: int, line: int) -> Position:
    """Where the values of a JSON document are: it begins at ``at``, on ``line``, and ends ``text``.

    Read as YAML of the same shape: what only JSON knows is replaced by as many characters.
    """
    start = text.rfind("\n", 0, at) + 1
    same = _NOT_YAML.sub(lambda found: " " * len(found[0]), text[at:])
    try:
        (document,) = Builder(" " * (at - start) + same, line).documents()
    except (yaml.YAMLError, TooMuchError, ValueError):
        return Position(line, at - start + 1)
    return document.position


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ScalarError("is no number, or too large a one")
    return number


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _last(pairs: list[tuple[str, Any]], repeated: list[Problem], line: int) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [key for key, _ in pairs]
        twice = sorted(key for key in values if names.count(key) > 1)
        repeated += [Problem(key, "is set twice", line) for key in twice]
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
