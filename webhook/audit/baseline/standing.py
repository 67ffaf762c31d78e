"""How a namespace stands to its baseline: what is wanted, why, and what is there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from policies.baseline.cni import Enforcement
from policies.baseline.config import BaselineConfig
from policies.baseline.grants import Json, Problem
from policies.baseline.objects import (
    Generated,
    Namespace,
    Observed,
    environment,
    is_as_wanted,
    is_covered,
    manifest,
    plan,
)
from policies.namespaces.meshes import is_off_limits
from policies.network_policies.managed import BASELINE, DEFAULT_DENY, MANAGED_BY, NETREEVE
from webhook.audit.baseline.read import Controller, Ground
from webhook.audit.baseline.views import StoredPolicy
from webhook.cluster.lists import Unread

State = Literal["as wanted", "missing", "changed", "not ours", "not known"]
_BESIDE = frozenset({"leases.coordination.k8s.io", "networkpolicies.networking.k8s.io"})
"""What is read beside the facts: whether a controller runs, and what is there already."""
_ABSENT = frozenset({
    "DnsNotFound", "DnsPortUnknown", "DnsServiceNotFound", "NodeLocalAddressUnknown",
    "ResolverAddressUnknown", "MeshControlPlaneNotFound", "ApiServerNotFound",
})  # fmt: skip
"""Problems that say that something does not exist, or tells nothing."""


class Rule(NamedTuple):
    """A NetworkPolicy of the baseline. why: one line for each of its rules.

    state: "not ours" where somebody's own policy has its name, "not known" where those of the
    namespace could not be read.
    """

    name: str
    state: State
    why: tuple[str, ...]
    manifest: Json


class Standing(NamedTuple):
    """baseline: the name of the one it is under, or would be. label: None where it has none.

    excluded: why it gets no baseline, "" if it may. left: names of generated policies that no
    baseline asks for any more, in the order in which they may be deleted. hold: nothing is
    generated, since no DNS was found. controller: whether one runs, to generate anything.
    covered: None where that could not be read.
    """

    namespace: Namespace
    label: str | None
    baseline: str
    known: bool
    enabled: bool
    excluded: str
    terminating: bool
    covered: bool | None
    hold: bool
    rules: tuple[Rule, ...]
    left: tuple[str, ...]
    problems: tuple[Problem, ...]
    cni: Enforcement
    controller: Controller
    unread: tuple[Unread, ...]

    @property
    def taken(self) -> tuple[str, ...]:
        """Names that a policy of the user's own has."""
        return tuple(one.name for one in self.rules if one.state == "not ours")

    @property
    def uncertain(self) -> bool:
        """Some facts could not be read: nothing can be said to be absent."""
        return any(one.resource not in _BESIDE for one in self.unread)

    def as_adopted(self) -> Standing:
        """Without what only counts as left over while the namespace has no label."""
        wanted = {one.name for one in self.rules}
        return self._replace(left=tuple(one for one in self.left if one not in wanted))

    @property
    def good(self) -> bool:
        """Nothing is to be done: under a baseline everything is as wanted, and it works."""
        bad = [one for one in self.rules if one.state != "as wanted"]
        if self.label is None:
            bad = [one for one in bad if one.state == "not ours"]
        return not (
            bad
            or self.problems
            or self.left
            or self.hold
            or not self.known
            or self.controller.problem
            or self.cni.state == "not-enforcing"
        )


def standing(config: BaselineConfig, ground: Ground, name: str | None = None) -> Standing:
    """name: the baseline to judge by, instead of that of the label or of the configuration."""
    meta = ground.namespace.metadata
    namespace = Namespace(
        meta.name or "", meta.uid or "", meta.labels or {}, meta.annotations or {}
    )
    label = namespace.labels.get(BASELINE)
    chosen = name or label or config.choose(namespace.labels)
    baseline = config.baseline(chosen)
    known = environment(config, ground.facts)
    excluded = _excluded(config, namespace.name)
    never = label is None and excluded
    wanted = plan(known, baseline, namespace) if baseline and not never else None
    observed = _all_observed(ground)
    generated = wanted.generated if wanted else ()
    held = label is not None and wanted is not None and wanted.hold
    found = Standing(
        namespace=namespace,
        label=label,
        baseline=chosen,
        known=baseline is not None,
        enabled=config.enabled,
        excluded=excluded,
        terminating=meta.deletionTimestamp is not None,
        covered=None if observed is None else is_covered(namespace, observed.values()),
        hold=wanted is not None and wanted.hold,
        rules=tuple(_rules(generated, observed, namespace, chosen)),
        left=() if held else _left(() if label is None else generated, observed or {}),
        problems=wanted.problems if wanted else (),
        cni=known.cni,
        controller=ground.controller,
        unread=ground.unread,
    )
    return _uncertain(found) if found.uncertain else found


def _uncertain(found: Standing) -> Standing:
    """What is missing in the facts may be there: no problem and no plugin is known to be absent."""
    absent = {one.reason for one in found.problems} & _ABSENT
    problems, cni = tuple(one for one in found.problems if one.reason not in absent), found.cni
    if absent:
        dns = "DnsNotFound" in absent
        what = "which DNS the cluster has" if dns else "whether all that the baseline needs exists"
        message = f"{what} is not known: what tells it could not be read"
        problems = (Problem("NotKnown", message), *problems)
    if cni.state == "unknown":
        cni = cni._replace(reason="what tells it could not be read")
    return found._replace(problems=problems, cni=cni)


def _all_observed(ground: Ground) -> Mapping[str, Observed] | None:
    """By name; None where they could not be read."""
    if any(one.resource == "networkpolicies.networking.k8s.io" for one in ground.unread):
        return None
    return {one.name: _observed(one) for one in ground.policies}


def _excluded(config: BaselineConfig, name: str) -> str:
    if is_off_limits(name):
        return "it belongs to the system, a CNI plugin, a mesh or Netreeve itself"
    return "the configuration excludes it" if name in config.excludedNamespaces else ""


def _observed(stored: StoredPolicy) -> Observed:
    meta = stored.metadata
    return Observed(stored.name, meta.labels or {}, meta.annotations or {}, stored.spec or {})


def _rules(
    generated: Iterable[Generated],
    observed: Mapping[str, Observed] | None,
    namespace: Namespace,
    baseline: str,
) -> Iterator[Rule]:
    for one in generated:
        there = (observed or {}).get(one.name)
        state: State = "not known" if observed is None else "missing"
        if there is not None:
            state = "changed" if _is_ours(there) else "not ours"
            state = "as wanted" if is_as_wanted(there, one, namespace, baseline) else state
        yield Rule(one.name, state, one.why, manifest(one, namespace, baseline))


def _left(generated: Iterable[Generated], observed: Mapping[str, Observed]) -> tuple[str, ...]:
    """The default-deny first: without the others it would leave pods without DNS."""
    ours = {one.name for one in observed.values() if _is_ours(one)}
    left = ours - {one.name for one in generated}
    return tuple(sorted(left, key=lambda name: (name != DEFAULT_DENY, name)))


def _is_ours(one: Observed) -> bool:
    return one.labels.get(MANAGED_BY) == NETREEVE and BASELINE in one.labels
