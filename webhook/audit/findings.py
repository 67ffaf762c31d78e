"""What a check found, as data: every report is made from this and nothing else."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from policies.model import Action

Status = Literal["denied", "warned", "allowed", "excluded", "unknown"]
"""denied, warned, allowed: the verdict. excluded: in a namespace that is never judged. unknown:
of a kind that no policy reads."""


class Found(msgspec.Struct, frozen=True):
    """One violation: the words of the denial, and the line of the field where it is known."""

    policy: str
    action: Action
    field: str
    message: str
    fix: str
    line: int | None = None


class Result(msgspec.Struct, frozen=True):
    """One object and what the gate says of it.

    name: ends in ``*`` where the API server will complete it (generateName).
    findings: sorted by policy and field. patch: RFC 6902, what mutating policies would change.
    Of a live object, which is in no file: created, its creationTimestamp, and folded, how many
    ReplicaSets, Jobs and pods come from it and have nothing else to be said of.
    """

    file: str
    line: int
    apiVersion: str
    kind: str
    namespace: str
    name: str
    status: Status
    findings: tuple[Found, ...] = ()
    patch: tuple[dict[str, Any], ...] = ()
    created: str | UnsetType = UNSET
    folded: int | UnsetType = UNSET

    @property
    def title(self) -> str:
        """``Service shop/frontend``"""
        return f"{self.kind} {self.namespace}/{self.name}".replace(" /", " ")


class Unreadable(msgspec.Struct, frozen=True):
    """Input that could not be read, and so not judged.

    stranger: it does not claim to be a Kubernetes object.
    """

    file: str
    line: int | None
    message: str
    stranger: bool = False


class Report(msgspec.Struct, frozen=True):
    """All that one run found. strangers: documents in folders that are no Kubernetes objects."""

    results: tuple[Result, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    strangers: int = 0

    @property
    def summary(self) -> dict[str, int]:
        """How many objects have each status, and what was left out.

        audited: how many of the allowed have findings that are only audited.
        """
        counted = Counter(result.status for result in self.results)
        statuses: tuple[Status, ...] = ("denied", "warned", "allowed", "excluded", "unknown")
        return {
            **{status: counted[status] for status in statuses},
            "audited": sum(one.status == "allowed" and bool(one.findings) for one in self.results),
            "unreadable": len(self.unreadable),
            "strangers": self.strangers,
        }

    @property
    def exit_code(self) -> int:
        """0: nothing denied. 1: something denied. 2: something could not be read."""
        if self.unreadable:
            return 2
        return 1 if any(result.status == "denied" for result in self.results) else 0
