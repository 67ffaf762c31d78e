"""What an exemption says: annotations read into a Claim, with everything that is wrong with it.

Owns the names and the syntax of the annotations. Whether a claim may be granted under a
configuration is `conditions`; whether it was, `stamp` knows.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

EXEMPT = "netreeve.io/exempt"
REASON = "netreeve.io/exempt-reason"
UNTIL = "netreeve.io/exempt-until"
TICKET = "netreeve.io/exempt-ticket"
STAMP = "netreeve.io/exempt-stamp"
ANNOTATIONS = (EXEMPT, REASON, UNTIL, TICKET, STAMP)
STAR = "*"

LONGEST = {EXEMPT: 2048, REASON: 1024, UNTIL: 64, TICKET: 64, STAMP: 4096}
"""Characters; nobody needs more, and reading them takes time."""
SHORTEST_REASON = 10
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
DAY = 86400
_LATEST = 253_402_300_800
"""The end of the year 9999."""


class Problem(NamedTuple):
    """Why a claim cannot be granted. annotation: its key; message: a clause, what must hold."""

    annotation: str
    message: str
    fix: str


class Claim(msgspec.Struct, frozen=True):
    """An exemption as it is claimed.

    policies: ids in order, or ``*`` alone. until: Unix time at which it ends; None for never.
    problems: of its syntax; a claim with any grants nothing.
    """

    policies: tuple[str, ...]
    until: int | None
    reason: str
    ticket: str = ""
    problems: tuple[Problem, ...] = ()

    def names(self, policy: str) -> bool:
        """Whether it exempts from a policy."""
        return policy in self.policies or self.policies == (STAR,)

    def ended(self, now: float) -> bool:
        return self.until is not None and self.until <= now

    def within(self, other: Claim) -> bool:
        """Whether it claims nothing that the other does not: fewer policies or an earlier end.

        Reason and ticket are part of what was granted, so they have to be the same.
        """
        return (
            (self.reason, self.ticket) == (other.reason, other.ticket)
            and all(map(other.names, self.policies))
            and (other.until is None or (self.until is not None and self.until <= other.until))
        )


class Conditions(msgspec.Struct, frozen=True):
    """What a claim must fulfil to be granted. known: ids of policies that can be exempted from.

    others: ids of policies that cannot. most_days: from now; None for no limit.
    """

    known: frozenset[str]
    others: frozenset[str] = frozenset()
    star: bool = False
    open_ended: bool = False
    most_days: int | None = None
    ticket_required: bool = False
    ticket_pattern: str | None = None

    def unmet(self, claim: Claim, now: float) -> Iterator[Problem]:
        """Everything that is wrong with a claim that is written now."""
        yield from claim.problems
        if not claim.policies:
            return  # it was not read any further
        yield from self._policies(claim)
        yield from self._until(claim, now)
        yield from self._ticket(claim)

    def _policies(self, claim: Claim) -> Iterator[Problem]:
        if claim.policies == (STAR,) and not self.star:
            yield Problem(EXEMPT, "must not be *", "name the policies")
        for policy in claim.policies:
            if policy in self.others:
                message = f"must not name {policy}, from which nothing is exempt"
                yield Problem(EXEMPT, message, f"remove {policy}")
            elif policy != STAR and policy not in self.known and _ID.fullmatch(policy):
                yield Problem(
                    EXEMPT, f"must not name {policy}, which is no policy", self._meant(policy)
                )

    def _meant(self, policy: str) -> str:
        close = difflib.get_close_matches(policy, sorted(self.known), n=1)
        return (
            f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(self.known))}"
        )

    def _until(self, claim: Claim, now: float) -> Iterator[Problem]:
        if any(problem.annotation == UNTIL for problem in claim.problems):
            return
        latest = None if self.most_days is None else now + self.most_days * DAY
        if claim.until is None:
            if not self.open_ended:
                yield Problem(UNTIL, "must be set: exemptions end", _example(now, self.most_days))
        elif claim.ended(now):
            message = f"must be in the future; {moment(claim.until)} has passed"
            yield Problem(UNTIL, message, "move it, or remove the exemption")
        elif latest is not None and claim.until > latest + DAY:  # a date counts to its end
            message = f"must be within {self.most_days} days"
            yield Problem(UNTIL, message, _example(now, self.most_days))

    def _ticket(self, claim: Claim) -> Iterator[Problem]:
        pattern = self.ticket_pattern
        if not claim.ticket:
            if self.ticket_required:
                what = f", and match {pattern}" if pattern else ""
                yield Problem(TICKET, f"must be set{what}", "name the ticket that approves it")
        elif pattern and not re.fullmatch(pattern, claim.ticket):
            yield Problem(TICKET, f"must match {pattern}", "name the ticket that approves it")


def _example(now: float, most_days: int | None) -> str:
    end = datetime.fromtimestamp(now, UTC) + timedelta(days=min(most_days or 90, 90))
    return f"for example {end:%Y-%m-%d}"


def read(annotations: Mapping[str, str]) -> Claim | None:
    """The claim that annotations make; None where there is none."""
    text = annotations.get(EXEMPT)
    if text is None:
        return None
    problems = [
        Problem(name, f"must have at most {most} characters", "shorten it")
        for name, most in LONGEST.items()
        if name != STAMP and len(annotations.get(name, "")) > most
    ]
    if problems:
        return Claim((), None, "", "", tuple(problems))
    policies = _policies(text, problems)
    reason = annotations.get(REASON, "").strip()
    if len(reason) < SHORTEST_REASON or " " not in reason:
        sentence = f"must be a sentence of at least {SHORTEST_REASON} characters"
        message = sentence if reason else "must be set"
        problems.append(Problem(REASON, message, "say in a sentence why this is needed"))
    until = _until(annotations.get(UNTIL), problems)
    ticket = annotations.get(TICKET, "").strip()
    return Claim(policies, until, reason, ticket, tuple(problems))


def _policies(text: str, problems: list[Problem]) -> tuple[str, ...]:
    names = sorted({name for part in text.split(",") if (name := part.strip())})
    if not names:
        fix = "name policies, separated by commas, or remove the exemption"
        problems.append(Problem(EXEMPT, "must name policies", fix))
    for name in names:
        if name != STAR and not _ID.fullmatch(name):
            fix = "write ids of policies, separated by commas"
            problems.append(Problem(EXEMPT, f"must not hold {name!r}", fix))
    return (STAR,) if STAR in names else tuple(names)


def _until(text: str | None, problems: list[Problem]) -> int | None:
    if text is None:
        return None
    end = ending(text)
    if end is None:
        fix = "write 2027-03-31, or 2027-03-31T18:00:00Z"
        problems.append(Problem(UNTIL, "must be a date or an RFC 3339 time", fix))
    return end


def ending(text: str) -> int | None:
    """Unix time at which something ``until`` a date or a time ends; None where it is neither.

    A date counts to its end in UTC. Source of the syntax: RFC 3339, full-date and date-time.
    """
    text = text.strip()
    try:
        if _DATE.fullmatch(text):
            end = int(datetime.fromisoformat(f"{text}T00:00:00Z").timestamp()) + DAY
        elif _TIME.fullmatch(text):
            end = int(datetime.fromisoformat(text).timestamp())
        else:
            return None
    except ValueError:
        return None
    return end if 0 < end <= _LATEST else None


def moment(until: int) -> str:
    """An end as people write it: the last day where it is the end of one, else a time in UTC."""
    if until % DAY == 0:
        until -= DAY
        return f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d}"
    return f"{datetime.fromtimestamp(until, UTC):%Y-%m-%dT%H:%M:%SZ}"


def only(annotations: Mapping[str, str] | None) -> dict[str, str]:
    """The annotations that are about an exemption; {} where nothing is claimed, or far too much."""
    if not annotations or EXEMPT not in annotations:
        return {}
    found = {name: annotations[name] for name in ANNOTATIONS if name in annotations}
    return found if all(len(text) <= LONGEST[name] for name, text in found.items()) else {}


def same(one: Mapping[str, str], other: Mapping[str, str], names: Collection[str]) -> bool:
    """Whether annotations of these names are equal."""
    return all(one.get(name) == other.get(name) for name in names)
