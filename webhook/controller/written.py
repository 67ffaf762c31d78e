"""The annotation in which the controller says how a namespace stands, and remembers what it wrote.

The policy baseline-status sees to it that nobody else writes it, and takes it away when a person
with the right takes the namespace out of its baseline. So whatever it says and the cluster does
not was changed past the gate.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from policies.baseline.objects import Namespace
from policies.network_policies.managed import BASELINE

State = Literal["covered", "pending", "failing"]
LONGEST_MESSAGE = 1000


class Status(NamedTuple):
    """How a namespace stands. reason: one CamelCase word; message: what a person should know."""

    state: State
    reason: str
    message: str


class Covered(msgspec.Struct, frozen=True):
    """What was in place when a namespace was last covered.

    uid: of that namespace, "" if it never was. baseline: its name. policies: their names.
    """

    uid: str = ""
    baseline: str = ""
    policies: tuple[str, ...] = ()


NEVER = Covered()


class Written(msgspec.Struct, frozen=True, omit_defaults=True):
    """The annotation. since: RFC 3339, of this state and reason."""

    state: str = ""
    reason: str = ""
    message: str = ""
    since: str = ""
    covered: Covered = NEVER

    def policies_of(self, namespace: Namespace) -> frozenset[str]:
        """The names of the policies that this namespace had from us."""
        return frozenset(self.covered.policies if self.covered.uid == namespace.uid else ())

    def lost_by(self, namespace: Namespace) -> str:
        """The baseline that was taken off this namespace past the gate; "" if none was."""
        had = self.covered
        lost = had.uid == namespace.uid and had.baseline != namespace.labels.get(BASELINE)
        return had.baseline if lost else ""


NOTHING = Written()


def written(text: str | None) -> Written:
    """What an annotation says; NOTHING for none, and for what is none."""
    try:
        return msgspec.json.decode(text or "{}", type=Written)
    except msgspec.DecodeError:
        return NOTHING


def annotation(status: Status, covered: Covered, before: Written, now: str) -> str | None:
    """The text to write; None when it says that already."""
    same = (before.state, before.reason) == (status.state, status.reason)
    since = before.since if same and before.since else now
    message = status.message[:LONGEST_MESSAGE]
    found = Written(status.state, status.reason, message, since, covered)
    return None if found == before else msgspec.json.encode(found).decode()
