"""What a check found, as data: every report is made from this and nothing else."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType

from policies.model import Action, Remedy
from webhook.admission.verdict import Exempt, Finding
from webhook.audit.exposure.model import ExposureMap
from webhook.audit.judged import Judged

Status = Literal["denied", "warned", "preexisting", "exempt", "allowed", "excluded", "unknown"]
"""What becomes of an object, by the strongest of its findings; see `status_of`.

denied, warned: by what is new and not exempt. preexisting: only by what was there before. exempt:
only by what an exemption lifts. allowed: nothing, or what is only audited. excluded: in a namespace
that is never judged. unknown: of a kind that no policy reads."""
STATUSES: tuple[Status, ...] = get_args(Status)
NOT_JUDGED: frozenset[Status] = frozenset({"excluded", "unknown"})


def title(kind: str, namespace: str, name: str) -> str:
    """``Service shop/frontend``, ``Namespace shop``"""
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


class Found(msgspec.Struct, frozen=True):
    """One violation: the words of the denial, and the place of the field where it is known.

    column: in characters, from 1. id: the same in every run, wherever in its file the object
    stands; see `identity`. preexisting: it was there before what is judged: an earlier report has
    it, or the object had it before an update; it fails nothing. exempt: the exemption that lifts
    it, or that is claimed to, and then lifts nothing. remedy: the edit that `--fix` makes, for a
    violation with one safe remedy.
    """

    policy: str
    action: Action
    field: str
    message: str
    fix: str
    line: int | None = None
    column: int | None = None
    id: str = ""
    preexisting: bool = False
    exempt: Exempt | UnsetType = UNSET
    remedy: Remedy | None = None

    @property
    def is_exempt(self) -> bool:
        """Whether an exemption lifts it; one that is only claimed does not."""
        return _lifts(self.exempt)


class Asker(msgspec.Struct, frozen=True):
    """Of a write in an audit log: who asked for it, how, and when (RFC 3339).

    uncertain: an update whose object was not seen before; what it violates, it may have violated
    already.
    """

    user: str
    verb: str
    at: str
    uncertain: bool = False


class Result(msgspec.Struct, frozen=True):
    """One object and what the gate says of it.

    name: ends in ``*`` where the API server will complete it (generateName).
    findings: sorted by policy and field. patch: RFC 6902, what mutating policies would change.
    input: what was read, where that is not ``file``: Helm says which template it has rendered.
        Lines and columns are those of the input.
    Of a live object, which is in no file: created, its creationTimestamp, and folded, how many
    ReplicaSets, Jobs and pods come from it and have nothing else to be said of. asked: of a write
    in an audit log.
    additions: where somebody has asked for it, what `--fix --ndots` would write down.
    podTemplates: paths of those in a manifest of a kind that no policy reads; they are not judged.
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
    input: str = ""
    created: str | UnsetType = UNSET
    folded: int | UnsetType = UNSET
    asked: Asker | UnsetType = UNSET
    additions: tuple[Remedy, ...] | UnsetType = UNSET
    podTemplates: tuple[str, ...] | UnsetType = UNSET

    @property
    def title(self) -> str:
        """``Service shop/frontend``"""
        return title(self.kind, self.namespace, self.name)


class Unreadable(msgspec.Struct, frozen=True):
    """Input that could not be read, and so not judged.

    stranger: it does not claim to be a Kubernetes object. input: as in `Result`.
    """

    file: str
    line: int | None
    message: str
    stranger: bool = False
    input: str = ""


class Change(msgspec.Struct, frozen=True):
    """One finding of a comparison, with the object that has it or had it."""

    file: str
    apiVersion: str
    kind: str
    namespace: str
    name: str
    finding: Found

    @property
    def title(self) -> str:
        return title(self.kind, self.namespace, self.name)


class Diff(msgspec.Struct, frozen=True):
    """What changed since an earlier report. fixed: what it found and is not found any more.

    notSeen: what it found where this run has not looked: in other files, another namespace, or
    what could not be read.
    """

    new: tuple[Change, ...] = ()
    fixed: tuple[Change, ...] = ()
    still: tuple[Change, ...] = ()
    notSeen: tuple[Change, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """All that one run found. strangers: documents in folders that are no Kubernetes objects.

    judged: what the run has judged, when, and by which rules.
    failOn: Deny or Warn, the weakest action whose findings fail the run.
    Of an audit log, passed: writes without findings, which are not among the results, and unseen:
    patches whose outcome is not in the log.
    exposure: the map of the same objects, where somebody asked for it.
    """

    results: tuple[Result, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    strangers: int = 0
    failOn: Action = Action.DENY
    diff: Diff | None = None
    passed: int = 0
    unseen: int = 0
    exposure: ExposureMap | None = None
    judged: Judged = Judged()

    @property
    def summary(self) -> dict[str, int]:
        """How many objects have each status, and what was left out.

        audited: how many of the allowed have findings that are only audited.
        """
        counted = Counter(result.status for result in self.results)
        counted["allowed"] += self.passed
        return {
            **{status: counted[status] for status in STATUSES},
            "audited": sum(one.status == "allowed" and bool(one.findings) for one in self.results),
            "unreadable": len(self.unreadable),
            "strangers": self.strangers,
            "unseen": self.unseen,
        }

    @property
    def exit_code(self) -> int:
        """0: nothing fails. 1: a finding does. 2: something could not be read."""
        if self.unreadable:
            return 2
        return 1 if any(self.fails(found) for _, found in self.each()) else 0

    def each(self) -> Iterator[tuple[Result, Found]]:
        """Every finding with its object, in the order of the input."""
        for result in self.results:
            for found in result.findings:
                yield result, found

    def fails(self, found: Found) -> bool:
        """Whether this finding alone makes the run fail."""
        forgiven = found.preexisting or found.is_exempt
        return not forgiven and found.action.strength >= self.failOn.strength


def status_of(findings: Iterable[Found | Finding]) -> Status:
    """What becomes of an object that is judged, by the strongest of its findings."""
    counted = {
        "exempt" if _lifts(one.exempt) else "preexisting" if one.preexisting else one.action.value
        for one in findings
        if one.action is not Action.AUDIT
    }
    words: dict[str, Status] = {
        "Deny": "denied", "Warn": "warned", "preexisting": "preexisting", "exempt": "exempt",
    }  # fmt: skip
    return next((status for word, status in words.items() if word in counted), "allowed")


def _lifts(exempt: Exempt | UnsetType | None) -> bool:
    return isinstance(exempt, Exempt) and exempt.granted


def identity(of: tuple[str, str, str, str], policy: str, keys: Iterable[str]) -> str:
    """What tells a finding from others: 16 hexadecimal digits.

    of: apiVersion, kind, namespace and name. keys: of the violation, which depend on no position in
    a list. Neither file, line, version nor wording count, so that moving and upgrading make nothing
    new.
    """
    api_version, *rest = of
    text = msgspec.json.encode([api_version.rpartition("/")[0], *rest, policy, *keys])
    return hashlib.sha256(text).hexdigest()[:16]
