"""How a claim stands in a request: granted before, carried from a template, or to be granted now.

The rule behind it: a claim is granted only by the request that writes it, and only if its writer
has the right at that moment. It stays granted until somebody changes it, which the stamp proves.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from policies.model import Right, User
from webhook.exemptions.claim import (
    ANNOTATIONS,
    STAMP,
    STAR,
    Claim,
    Conditions,
    Problem,
    moment,
    read,
    same,
)
from webhook.exemptions.owners import Owners, Workload
from webhook.exemptions.stamp import Keys, Stamp, is_current, reseal, seal, verify

Annotations = Mapping[str, str]
ALL_POLICIES = ""
"""The name that a SubjectAccessReview has for all of a resource; ``*`` needs the right to it."""


class Terms(NamedTuple):
    """What holds for every claim. keys: None where no stamp can be written or verified."""

    conditions: Conditions
    owners: Owners
    keys: Keys | None


class Place(NamedTuple):
    """Where a claim is written.

    namespace: "" for cluster-scoped objects and for a Namespace. made_for: the owner for which a
    controller is creating the object; None if its creator is no controller. owner: the one that the
    stored object names. That proves nothing by itself, but lets a pod keep the stamp that it was
    made with.
    """

    namespace: str
    workload: Workload
    made_for: Workload | None = None
    owner: Workload | None = None


class Origin(enum.Enum):
    """Where the claim of an object comes from.

    WRITTEN: by this request. CARRIED: by a controller, from a template. NARROWED: by this request,
    but within what was granted before. KEPT: from the old object, unchanged.
    """

    WRITTEN = "written"
    CARRIED = "carried"
    NARROWED = "narrowed"
    KEPT = "kept"


class Trust(enum.Enum):
    """How a claim counts that nobody has granted yet.

    ASK: not at all, until it is known that its writer has the right. SHOW: not at all, but reports
    show it. ACCEPT: as if it were granted.
    """

    ASK = "ask"
    SHOW = "show"
    ACCEPT = "accept"


class Standing(msgspec.Struct, frozen=True):
    """A claim and what it takes to count.

    granted: the stamp that proves that it was granted before this request.
    sealed: the stamp it carries now, which proves that the mutating pass has seen it.
    problems: why it cannot be granted. needed: if there are none, the rights that its writer needs.
    """

    claim: Claim
    origin: Origin
    granted: Stamp | None
    sealed: Stamp | None
    problems: tuple[Problem, ...] = ()
    needed: tuple[Right, ...] = ()

    def counts_until(self, now: float, *, unknown: bool = False) -> str:
        """Why it does not count, whatever rights its writer has; "" if nothing stands against it.

        unknown: it cannot be known whether it was granted, and that is not held against it.
        """
        if self.claim.ended(now) and self.claim.until is not None:
            return f"it ended with {moment(self.claim.until)}"
        if self.problems or self.claim.problems:
            return "it cannot be granted as it is"
        if self.origin is Origin.WRITTEN or unknown:
            return ""
        if self.granted is None and self.origin is Origin.CARRIED:
            return "its template carries no valid stamp for this workload"
        if self.granted is None:
            return "it has no valid stamp: nobody who may has granted it here"
        return ""


def standing(
    new: Annotations, old: Annotations, place: Place, terms: Terms, now: float, *, created: bool
) -> Standing | None:
    """How the claim of an object stands; None if it makes none. old: {} when created."""
    claim = read(new)
    if claim is None:
        return None
    sealed = _proof(new, claim, place, terms)
    if created and place.made_for is not None:
        return Standing(claim, Origin.CARRIED, sealed, sealed)
    if same(new, old, ANNOTATIONS):
        return Standing(claim, Origin.KEPT, sealed, sealed)
    before = read(old)
    granted = None if before is None else _proof(old, before, place, terms)
    if before is not None and granted is not None and _is_narrowed(claim, before):
        return Standing(claim, Origin.NARROWED, granted, sealed)
    problems = tuple(terms.conditions.unmet(claim, now))
    needed = () if problems else rights(claim, place.namespace)
    return Standing(claim, Origin.WRITTEN, None, sealed, problems, needed)


def _is_narrowed(claim: Claim, before: Claim) -> bool:
    return not claim.problems and not before.problems and claim.within(before)


def rights(claim: Claim, namespace: str) -> tuple[Right, ...]:
    """What somebody needs to grant a claim."""
    return tuple(
        Right(ALL_POLICIES if policy == STAR else policy, namespace) for policy in claim.policies
    )


def proven(annotations: Annotations, place: Place, terms: Terms) -> tuple[Claim, Stamp] | None:
    """A stored claim with its stamp; None if it was never granted here."""
    claim = read(annotations)
    stamp = None if claim is None else _proof(annotations, claim, place, terms)
    return None if claim is None or stamp is None else (claim, stamp)


def _proof(annotations: Annotations, claim: Claim, place: Place, terms: Terms) -> Stamp | None:
    if claim.problems:
        return None
    stamp = verify(annotations.get(STAMP), claim, place.namespace, terms.keys)
    if stamp is None:
        return None
    these = (place.made_for,) if place.made_for else (place.workload, place.owner)
    owners = terms.owners
    return stamp if any(one and owners.stands_for(stamp.workload, one) for one in these) else None


def wanted_stamp(
    found: Standing, place: Place, keys: Keys, *, user: User, now: float, granted: bool, renew: bool
) -> str | None:
    """The stamp to write, "" to remove what is there, None to leave it.

    granted: the user has all the rights that are needed. renew: the place may be written although
    nobody asked for it, so that a stamp by the previous key becomes one by the current.
    """
    claim, namespace, stamp = found.claim, place.namespace, found.granted
    if found.origin is Origin.WRITTEN:
        if found.problems or not granted:
            return ""
        if found.sealed is not None and found.sealed.by == user.username:
            return None
        return seal(
            claim, namespace, str(place.workload),
            by=user.username, groups=user.groups, now=now, keys=keys,
        )  # fmt: skip
    if stamp is None or found.origin is Origin.CARRIED:
        return None
    outdated = renew and not is_current(stamp, claim, namespace, keys)
    narrowed = found.origin is Origin.NARROWED
    return reseal(stamp, claim, namespace, keys) if narrowed or outdated else None
