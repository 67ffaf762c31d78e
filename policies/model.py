"""The words every policy and the gate share: Request, Violation, Policy, Rule, Action.

Owns no decision and knows no HTTP, clock, client or configuration file.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from policies.network_policies.views import NetworkPolicy


class Action(enum.Enum):
    """What follows from a violation; Deny, Warn and Audit as in ValidatingAdmissionPolicy.

    ``Mutate`` is the only working action of a policy that changes objects; ``Off`` disables any.
    """

    DENY = "Deny"
    WARN = "Warn"
    AUDIT = "Audit"
    MUTATE = "Mutate"
    OFF = "Off"

    # As attributes: on Python 3.11 `Action.DENY` and `.value` take ten times as long to look up.
    def __init__(self, value: str) -> None:
        self.word = value
        self.denies = value == "Deny"
        self.strength = {"Deny": 3, "Warn": 2, "Off": 0}.get(value, 1)
        """Deny 3, Warn 2, Audit 1, Off 0; Mutate counts as 1 (on)."""


CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"
WRITES = frozenset({CREATE, UPDATE})


class Rule(NamedTuple):
    """Which requests a policy judges: an API group, ``resource`` or ``resource/subresource``.

    Versions are not part of it: the API server converts equivalent ones (matchPolicy Equivalent).
    """

    group: str
    resource: str
    operations: frozenset[str] = WRITES


class User(msgspec.Struct, frozen=True):
    """Who asks, as the API server authenticated them (userInfo of an AdmissionReview).

    extra: what authenticators add; None for a key without values, as Go writes an empty list.
    """

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...] | None] = {}


class ClusterFacts(msgspec.Struct, frozen=True):
    """What is known of the cluster at the moment of judging. Empty offline: nothing is known.

    providers: prefixes of the nodes' ``spec.providerID`` (``aws``, ``gce``, ``azure`` ...), ""
        for a node that has none. Empty: no node is known, offline or because RBAC keeps them.
    nodeAddresses: the nodes' InternalIP and ExternalIP, canonical text.
    notEnforced: why no NetworkPolicy has an effect, for people; "" where it has, or nobody knows.
    """

    providers: frozenset[str] = frozenset()
    nodeAddresses: frozenset[str] = frozenset()
    notEnforced: str = ""


NOTHING_KNOWN = ClusterFacts()


class Baseline(enum.Enum):
    """How a namespace stands to the baseline.

    UNKNOWN: nobody has looked yet. INACTIVE: no controller has ever run that could generate one.
    NONE: the namespace is not under a baseline. PENDING: it is, or may be, and its policies have
    not been observed. COVERED: they have been.
    """

    UNKNOWN = "unknown"
    INACTIVE = "inactive"
    NONE = "none"
    PENDING = "pending"
    COVERED = "covered"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One admission request without its objects: those are handed to the policy as its subject.

    namespace: "" for cluster-scoped objects; for a Namespace its own name ("" with generateName).
    namespaceLabels: of the namespace the object is in; None where they are not known, and for a
        Namespace, which carries its own.
    otherPolicies: the NetworkPolicies of that namespace, for a NetworkPolicy to be judged together
        with them; its own stored version may be among them. None where they are not known.
    baseline: how the namespace stands to the baseline, see `Baseline`; None where not known.
    old: on UPDATE, for policies that compare: the subject as it was; None for all others.
    early: asked in the mutating pass, before the API server fills in what it allocates.
    """

    operation: str
    group: str
    resource: str
    subresource: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    namespaceLabels: Mapping[str, str] | None = None
    otherPolicies: tuple[NetworkPolicy, ...] | None = None
    baseline: Baseline | None = None
    old: Any = None
    early: bool = False
    user: User = User()
    cluster: ClusterFacts = NOTHING_KNOWN


class Right(msgspec.Struct, frozen=True):
    """The right to ``exempt`` the resource ``policies.netreeve.io/<name>``, as RBAC grants it.

    namespace: where it is needed; "" for the whole cluster.
    """

    name: str
    namespace: str = ""


NEVER_OLD = ("",)
"""Keys of a violation that hides others: forgiven only where nothing but labels has changed."""


class Remedy(msgspec.Struct, frozen=True):
    """The one edit that settles a violation and is safe: what `netreeve check --fix` does.

    path: keys and list positions from the root of the object.
    value: what is set there, also where the mappings around it are missing; or, with ``insert``, a
        new element in front of the one at ``path``.
    """

    path: tuple[str | int, ...]
    value: bool | str | dict[str, int | str]
    insert: bool = False


class Violation(msgspec.Struct, frozen=True):
    """One reason against an object.

    field: path as Kubernetes writes it (``spec.ports[0].nodePort``).
    message: what must hold, a clause that follows the path (``must not be set``).
    fix: what to do next, an imperative sentence without the final stop.
    keys: what identifies this violation on the old object, independent of list positions; it is
        an old one only if the old object had *all* of them. Empty: the field path.
    at_most: the strongest action this violation may have, whatever the policy's action is.
    unless: the right that lifts it: who has it is warned where others are denied.
    remedy: what would settle it, for a violation with one safe remedy.
    """

    field: str
    message: str
    fix: str
    keys: tuple[str, ...] = ()
    at_most: Action | None = None
    unless: Right | None = None
    remedy: Remedy | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        return self.keys or (self.field,)


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For a policy without parameters."""


S = TypeVar("S")
P = TypeVar("P")


@dataclass(frozen=True, kw_only=True)
class Policy(Generic[S, P]):
    """One rule of the gate: a constant named POLICY in a module of its own.

    ``validate(subject, request, params)`` yields violations and never changes its subject.
    ``mutate(subject, request, params)`` assigns fields of its subject's metadata and spec. What
    is in them stays as it is, a changed part is a new one: only so can the gate see what changed.
    Lists may only get longer, because views hold no more than the fields that policies read.
    ``title`` states what must hold, ``why`` and ``fix`` are what ``netreeve explain`` prints.
    A policy with ``mutate`` has the action Mutate or Off, never Deny, Warn or Audit.
    ``compares``: it judges changes, and finds the old subject in ``request.old`` on UPDATE. The
    ratchet does not forgive what it finds, because nothing changes from the old to the old.
    ``early``: it also judges in the mutating pass, where only what the user wrote is there; what
    it denies then is denied, and warnings wait for the validating pass.
    ``exemptable``: an exemption can lift what it finds; not so where others would lose by it.
    """

    id: str
    title: str
    why: str
    fix: str
    rules: tuple[Rule, ...]
    standard: Action
    strict: Action
    params: type[P]
    strict_params: Mapping[str, Any] = field(default_factory=dict)
    compares: bool = False
    early: bool = False
    exemptable: bool = True
    validate: Callable[[S, Request, P], Iterable[Violation]] | None = None
    mutate: Callable[[S, Request, P], None] | None = None

    def action(self, profile: str) -> Action:
        """The action of this policy in profile ``audit``, ``standard`` or ``strict``."""
        if profile == "audit":
            return Action.OFF if self.mutate else Action.AUDIT
        return self.strict if profile == "strict" else self.standard
