"""What a CEL expression of a webhook's matchConditions says of a request.

By cel-cpp, the implementation in C++ of the project that defines the language, with the
extensions of Kubernetes that it has: optional values and strings. What needs more than that
(`authorizer`, quantities, the regular expressions and addresses of Kubernetes) is answered with
"unknown", never by a guess.
"""

from __future__ import annotations

import enum
from functools import cache
from typing import Any, NamedTuple

from webhook.doctor.requests import Json


class Outcome(enum.Enum):
    TRUE = "true"
    FALSE = "false"
    ERROR = "error"
    UNKNOWN = "unknown"


class Answer(NamedTuple):
    """text: why it is an error, or is not known."""

    outcome: Outcome
    text: str = ""


def evaluate(expression: str, variables: Json) -> Answer:
    """variables: ``object``, ``oldObject`` and ``request``, as `Request.variables` has them."""
    try:
        value = _compiled(expression).eval(data=variables)
    except RuntimeError as error:
        return Answer(Outcome.UNKNOWN, _first_line(error))
    except ImportError:
        return Answer(Outcome.UNKNOWN, "no CEL library exists for this platform")
    kind = value.type().name()
    if kind == "BOOL":
        return Answer(Outcome.TRUE if value.value() else Outcome.FALSE)
    return Answer(Outcome.ERROR, _first_line(value.value()))


@cache
def _environment() -> Any:
    # Loaded late: it exists for fewer platforms than the rest of the program.
    from cel_expr_python import cel  # noqa: PLC0415
    from cel_expr_python.ext import (  # noqa: PLC0415
        ext_optional,
        ext_strings,
    )

    return cel.NewEnv(
        # The API server has type-checked the expression when the webhook was registered.
        variables=dict.fromkeys(("object", "oldObject", "request"), cel.Type.DYN),
        extensions=[
            ext_optional.ExtOptional(),
            ext_strings.ExtStrings(),
        ],
    )


@cache
def _compiled(expression: str) -> Any:
    return _environment().compile(expression)


def _first_line(error: object) -> str:
    """``undeclared reference to 'authorizer'`` of several lines with status code and position."""
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    text = line.rpartition(": ERROR: ")[2]
    text = text.partition(": ")[2] if text.startswith("<input>") else text
    return text.removesuffix(" (in container '')")
