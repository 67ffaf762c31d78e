"""What is to be done about one namespace: from what is wanted and what was observed. Pure.

Never asks for a deletion: what a baseline does not have any more is told and left in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from policies.baseline.objects import (
    DENY_SPEC,
    Environment,
    Generated,
    Namespace,
    Observed,
    Plan,
    is_as_wanted,
    is_covered,
    plan,
)
from policies.network_policies.managed import BASELINE, DEFAULT_DENY
from webhook.controller.views import is_ours

State = Literal["covered", "pending", "failing"]
LONGEST_MESSAGE = 1000


class Status(NamedTuple):
    """How a namespace stands. reason: one CamelCase word; message: what a person should know."""

    state: State
    reason: str
    message: str

    @property
    def good(self) -> bool:
        return self.reason == COVERED.reason


COVERED = Status("covered", "Covered", "the NetworkPolicies of the baseline are in place")
PENDING = Status("pending", "Pending", "the NetworkPolicies of the baseline are being written")


class Judgement(NamedTuple):
    """missing: to be written in this order; those in `ours` are there, but not as they should be.

    release: the pods that wait may go. status: None where there is no baseline.
    """

    missing: tuple[Generated, ...] = ()
    ours: frozenset[str] = frozenset()
    release: bool = False
    status: Status | None = None
    baseline: str = ""


def judge(
    environment: Environment, namespace: Namespace, observed: Mapping[str, Observed]
) -> Judgement:
    """observed: all NetworkPolicies of the namespace, by name."""
    config, name = environment.config, namespace.labels.get(BASELINE)
    if name is None:
        return Judgement(release=True)
    free = not config.enabled or config.pods == "off"
    covered = is_covered(namespace, observed.values())
    baseline = config.baseline(name)
    if not config.enabled or baseline is None:
        status = _retired(name, covered) if config.enabled else None
        return Judgement(release=free or covered, status=status, baseline=name)
    wanted = plan(environment, baseline, namespace)
    ours = frozenset(one.name for one in observed.values() if is_ours(one, namespace))
    taken = [one.name for one in wanted.generated if one.name in observed.keys() - ours]
    missing = tuple(
        one
        for one in wanted.generated
        if one.name not in taken and not _is_there(observed, one, namespace, name)
    )
    denies = covered or _denies(observed, ours)
    return Judgement(
        missing,
        ours,
        release=free or (denies and not missing),
        status=_status(wanted, missing, taken, ours, covered=covered),
        baseline=name,
    )


def _is_there(
    observed: Mapping[str, Observed], wanted: Generated, namespace: Namespace, baseline: str
) -> bool:
    one = observed.get(wanted.name)
    return one is not None and is_as_wanted(one, wanted, namespace, baseline)


def _denies(observed: Mapping[str, Observed], ours: frozenset[str]) -> bool:
    """Whether a user's own policy of that name does what ours would do."""
    one = observed.get(DEFAULT_DENY)
    return one is not None and one.name not in ours and one.spec == DENY_SPEC


def _status(
    wanted: Plan,
    missing: tuple[Generated, ...],
    taken: list[str],
    ours: frozenset[str],
    *,
    covered: bool,
) -> Status:
    problems = [(one.reason, one.message) for one in wanted.problems]
    if taken:
        text = f"somebody's own NetworkPolicy has the name of the baseline's: {', '.join(taken)}"
        problems.insert(0, ("NameTaken", f"{text}; rename it, or take the baseline off"))
    left = sorted(ours - {one.name for one in wanted.generated})
    if left and not wanted.hold:
        text = f"not part of the baseline any more and left in place: {', '.join(left)}"
        problems.append(("LeftInPlace", text))
    state: State = "covered"
    if taken:
        state = "failing"
    elif missing or not covered:
        state = "pending"
    if not problems:
        return PENDING if missing else COVERED
    return Status(state, problems[0][0], "; ".join(text for _, text in problems))


def _retired(name: str, covered: bool) -> Status:
    text = f"no baseline is named {name!r} any more"
    rest = "; its NetworkPolicies are left in place" if covered else " and nothing was generated"
    return Status("failing", "BaselineUnknown", f"{text}{rest}: set {BASELINE} to one that is")


class Written(msgspec.Struct, frozen=True):
    """The annotation with the status. since: RFC 3339, of this state and reason."""

    state: str = ""
    reason: str = ""
    message: str = ""
    since: str = ""


def written(text: str | None) -> Written:
    """What an annotation says; an empty one for none, and for what is none."""
    try:
        return msgspec.json.decode(text or "{}", type=Written)
    except msgspec.DecodeError:
        return Written()


def annotation(status: Status, before: Written, now: str) -> str | None:
    """The text to write; None when it says that already."""
    message = status.message[:LONGEST_MESSAGE]
    if (before.state, before.reason, before.message) == (status.state, status.reason, message):
        return None
    same = (before.state, before.reason) == (status.state, status.reason)
    since = before.since if same and before.since else now
    return msgspec.json.encode(Written(status.state, status.reason, message, since)).decode()
