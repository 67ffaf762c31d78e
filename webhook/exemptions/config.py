"""The section ``exemptions`` of the configuration, and what the gate makes of it.

Owns what may be claimed at all, and the exemptions of what cannot carry an annotation.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from policies.model import Request
from webhook.exemptions.claim import SHORTEST_REASON, STAR, Conditions, ending
from webhook.exemptions.owners import Maker, Owners

NEVER = "never"
_MOST_REPEATS = 3
_QUANTIFIED_GROUP = re.compile(r"\)[*+?{]")
_UNBOUNDED = re.compile(r"[*+]|\{[0-9]*,\}")

Days = Annotated[int, Meta(ge=1, le=3650)]
Name = Annotated[str, Meta(min_length=1, max_length=512)]
ServiceAccount = Annotated[
    str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
]
QualifiedKind = Annotated[str, Meta(pattern=r"^[A-Z][A-Za-z0-9]*\.[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]


class Controller(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user whose objects carry the exemptions of the templates that they are made from.

    user: exact name, as in ``system:serviceaccount:argo-rollouts:argo-rollouts``.
    owners: kinds that it makes objects for, with their group (``Rollout.argoproj.io``); each has
        to be in the section ``workloads``. None for a user that Kubernetes' own controllers run as.
    """

    user: Name
    owners: tuple[QualifiedKind, ...] = ()


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An exemption of what cannot carry an annotation; all that is given has to fit.

    policies: ids of the policies that are not enforced.
    reason: a sentence for those who read it later.
    until: a date, an RFC 3339 time, or ``never``; from then on it does not count.
    users: exact names of requesters.
    groups: exact names of groups that the requester is in.
    serviceAccounts: requesters that are service accounts, as ``namespace/name``.
    namespaces: exact names; for requests in them.
    """

    policies: tuple[Name, ...]
    reason: str
    until: str
    users: tuple[Name, ...] = ()
    groups: tuple[Name, ...] = ()
    serviceAccounts: tuple[ServiceAccount, ...] = ()
    namespaces: tuple[Name, ...] = ()

    def __post_init__(self) -> None:
        if not self.policies:
            raise ValueError("must name policies")
        if not (self.users or self.groups or self.serviceAccounts or self.namespaces):
            raise ValueError("must name users, groups, serviceAccounts or namespaces")
        if len(self.reason.strip()) < SHORTEST_REASON or " " not in self.reason.strip():
            raise ValueError(f"reason must be a sentence of at least {SHORTEST_REASON} characters")
        if self.until != NEVER and ending(self.until) is None:
            raise ValueError(f"until must be a date, an RFC 3339 time or {NEVER}")

    @property
    def ends(self) -> int | None:
        """Unix time; None for never."""
        return None if self.until == NEVER else ending(self.until)

    def covers(self, policy: str, request: Request, now: float) -> bool:
        """Whether a violation of a policy by this request is exempt."""
        ends = self.ends
        return (
            (policy in self.policies or STAR in self.policies)
            and (ends is None or now < ends)
            and (not self.namespaces or request.namespace in self.namespaces)
            and self._is_by(request)
        )

    def _is_by(self, request: Request) -> bool:
        user, accounts = request.user, self.serviceAccounts
        if (self.users or accounts) and user.username not in self.users:
            prefix, _, account = user.username.partition("system:serviceaccount:")
            if prefix or not account or account.replace(":", "/", 1) not in accounts:
                return False
        return not self.groups or not {*self.groups}.isdisjoint(user.groups)


class ExemptionsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What exemptions may be, and those that the configuration itself grants.

    allowStar: whether ``netreeve.io/exempt: "*"`` may be granted, to those who may exempt from
        every policy.
    openEnded: whether an exemption may be granted without an end.
    maxDays: the most days from now that an exemption may be granted for; not with openEnded.
    ticketRequired: whether an exemption must name a ticket.
    ticketPattern: a regular expression that the whole ticket has to match. At most three
        unbounded repetitions, and none of a group, so that no ticket can make it slow.
    controllers: those that make objects from templates, beyond Kubernetes' own.
    granted: exemptions of users, groups, service accounts and namespaces.
    """

    allowStar: bool = False
    openEnded: bool = False
    maxDays: Days | None = None
    ticketRequired: bool = False
    ticketPattern: str | None = None
    controllers: tuple[Controller, ...] = ()
    granted: tuple[Grant, ...] = ()

    def __post_init__(self) -> None:
        if self.openEnded and self.maxDays is not None:
            raise ValueError("must not have both openEnded and maxDays")
        if self.ticketPattern is not None:
            _check_pattern(self.ticketPattern)

    def conditions(self, known: frozenset[str], others: frozenset[str]) -> Conditions:
        """For claims on some policies; ``others`` are those that cannot be exempted from."""
        return Conditions(
            known=known,
            others=others,
            star=self.allowStar,
            open_ended=self.openEnded,
            most_days=self.maxDays,
            ticket_required=self.ticketRequired,
            ticket_pattern=self.ticketPattern,
        )

    def owners(self) -> Owners:
        return Owners(Maker(one.user, one.owners) for one in self.controllers)


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"ticketPattern must be a regular expression: {error}") from None
    if _QUANTIFIED_GROUP.search(pattern) or len(_UNBOUNDED.findall(pattern)) > _MOST_REPEATS:
        raise ValueError(
            "ticketPattern must have at most three unbounded repetitions and repeat no group"
        )
