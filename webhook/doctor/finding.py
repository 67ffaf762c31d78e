"""The words of every check: what can be found, what was found, and the checks themselves."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from webhook.doctor.seen import Seen


NAMED = 3
"""How many of a list a text names."""


class Severity(enum.Enum):
    """error: something does not work, or will not after a power cut. warning: it may not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    OK = "ok"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True)
class Kind:
    """Something that a check can find. why: why it matters, a sentence for the documentation too.

    id: stable, for programs.
    """

    id: str
    severity: Severity
    why: str

    def found(self, object: str, message: str, remedy: str, details: Iterable[str] = ()) -> Finding:
        return Finding(self, object, message, remedy, tuple(details))


class Finding(NamedTuple):
    """object: what it is about. message: what is wrong with it. remedy: what to do, where possible
    a command to type. details: more of what was seen, one line each.
    """

    kind: Kind
    object: str
    message: str
    remedy: str
    details: tuple[str, ...] = ()


About = Literal["the cluster", "Netreeve", "its webhooks", "an enforcing gate", "any webhook"]


@dataclass(frozen=True)
class Check:
    """A constant named CHECK in a module of `webhook.doctor.checks`.

    title: what holds where nothing is found. needs: fields of Seen without which it cannot be run
    (None: could not be read). about: what has to be there, else there is nothing to look at.
    """

    id: str
    title: str
    kinds: tuple[Kind, ...]
    run: Callable[[Seen], Iterable[Finding]]
    needs: tuple[str, ...] = ()
    about: About = "the cluster"


def some(texts: list[str]) -> str:
    """``a, b, c and 4 more``"""
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more


def moment(time: datetime) -> str:
    """Of an aware time in UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def error(id: str, why: str) -> Kind:
    return Kind(id, Severity.ERROR, why)


def warning(id: str, why: str) -> Kind:
    return Kind(id, Severity.WARNING, why)


def info(id: str, why: str) -> Kind:
    return Kind(id, Severity.INFO, why)
