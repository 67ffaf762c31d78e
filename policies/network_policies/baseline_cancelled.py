"""baseline-cancelled: policies add up, so one that allows everything undoes a default-deny.

Fields: spec.ingress, spec.egress of a NetworkPolicy in a namespace with a baseline (label
netreeve.io/baseline; one whose labels are not known is taken to have it). Allowed: whatever does
not open every port of a protocol to every address of an IP family, neither alone nor together with
the other policies of the namespace, as far as these are known; not even to pods that carry the
labels of several at once. Where those are too many to be looked at each time (length.py), that is
what is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from policies.model import NEVER_OLD, Action, NoParams, Policy, Request, Violation
from policies.network_policies.anyone import Opening, describe, openings
from policies.network_policies.effective import Allow, Direction, allows, selector
from policies.network_policies.length import MOST_TOGETHER, bearable_together
from policies.network_policies.managed import BASELINE, DEFAULT_DENY, is_managed
from policies.network_policies.reading import NETWORK_POLICIES, content
from policies.network_policies.selected import counts_for, for_selector, joined
from policies.network_policies.views import NetworkPolicy
from policies.selectors import LabelSelector


def validate(policy: NetworkPolicy, request: Request, params: NoParams) -> Iterator[Violation]:
    labels = request.namespaceLabels
    if is_managed(policy) or (labels is not None and BASELINE not in labels):
        return
    pods, others = selector(policy), _others(policy, request)
    picked = content(pods)
    broad = {
        direction: own
        for direction in Direction
        if (own := tuple(filter(_is_broad, allows(policy, direction))))
        and _is_at_stake(others, pods, direction)
    }
    if broad and not bearable_together(pods, others):
        yield _TOO_MANY
        others = ()
    together = for_selector(others, pods)
    for direction, own in broad.items():
        for cause in _causes(own, together.side(direction).allows):
            yield _violation(cause, direction, picked)
        yield from _for_some_pods(own, pods, others, direction)


MOST_SELECTORS = 64
"""Of other policies that could add up to everything with one: they are combined with each other."""

_TOO_MANY = Violation(
    "spec",
    f"must be judged with the namespace's other policies, which have over {MOST_TOGETHER} entries, "
    f"2 MiB or {MOST_SELECTORS} different podSelectors",
    "remove policies and blocks that are no longer needed, or join blocks to wider ones",
    keys=NEVER_OLD,  # what the new version does together with the others is not known
)


def _is_broad(rule: Allow) -> bool:
    """Whether it can have a part in opening everything: with addresses, or with no peers at all."""
    return not rule.peers or any(peer.ipBlock for peer in rule.peers)


def _others(policy: NetworkPolicy, request: Request) -> tuple[NetworkPolicy, ...]:
    """The other policies of the namespace, without the stored version of this one."""
    name = policy.metadata and policy.metadata.name
    return tuple(
        one for one in request.otherPolicies or () if (one.metadata and one.metadata.name) != name
    )


def _is_at_stake(
    others: tuple[NetworkPolicy, ...], pods: LabelSelector, direction: Direction
) -> bool:
    """Whether the baseline denies anything here, as it does for all one knows until it is seen."""
    baseline = [one for one in others if is_managed(one)]
    if not any(one.metadata and one.metadata.name == DEFAULT_DENY for one in baseline):
        return True
    side = for_selector(baseline, pods).side(direction)
    return side.isolated and not openings(side.allows)


class _Cause(NamedTuple):
    """What opens everything: a rule, the rules of the policy, or these with other policies'."""

    field: str
    openings: frozenset[Opening]
    how: str = ""


def _causes(own: tuple[Allow, ...], others: tuple[Allow, ...]) -> Iterator[_Cause]:
    """Each opening once, where it is narrowest: in a rule, in all rules, or in all policies."""
    known: frozenset[Opening] = frozenset()
    for rule in own:
        if found := openings([rule]):
            known |= found
            yield _Cause(rule.field, found)
    field = f"spec.{own[0].direction.rules}"
    if len(own) > 1 and (found := openings(own) - known):
        known |= found
        yield _Cause(field, found, " (its rules together)")
    if others and (found := openings((*own, *others)) - openings(others) - known):
        yield _Cause(field, found, f" (together with {_names(others)})")


def _for_some_pods(
    own: tuple[Allow, ...],
    pods: LabelSelector,
    others: tuple[NetworkPolicy, ...],
    direction: Direction,
) -> Iterator[Violation]:
    """What is open only to pods that further policies select as well.

    Combined only where all of them without regard to pods would open what nobody does yet.
    """
    known = openings((*own, *for_selector(others, pods).side(direction).allows))
    by_pods: dict[str, _Part] = {}
    for one in others:
        broad = tuple(filter(_is_broad, allows(one, direction)))
        by_pods.setdefault(content(selector(one)), _Part(selector(one), [])).rules.extend(broad)
    # Who opens everything already is no part of what adds up.
    parts = [one for one in by_pods.values() if one.rules and not openings(one.rules)]
    if not openings((*own, *(rule for one in parts for rule in one.rules))) - known:
        return
    if len(parts) > MOST_SELECTORS:
        yield _TOO_MANY
        return
    for some in joined(pods, (one.pods for one in parts)):
        counts = counts_for(some)
        there = tuple(rule for one in by_pods.values() if counts(one.pods) for rule in one.rules)
        found = openings((*own, *there)) - known
        if found and (found := found - openings(there)):
            how = f" (together with {_names(there)}, for pods that all of them select)"
            cause = _Cause(f"spec.{direction.rules}", found, how)
            yield _violation(cause, direction, content(some))
            return


class _Part(NamedTuple):
    """What policies with one podSelector open together."""

    pods: LabelSelector
    rules: list[Allow]


def _names(others: tuple[Allow, ...]) -> str:
    """The policies that can have a part in it."""
    return ", ".join(sorted({one.policy for one in others if _is_broad(one)}))


def _violation(cause: _Cause, direction: Direction, picked: str) -> Violation:
    return Violation(
        cause.field,
        f"must not allow {describe(cause.openings)}{cause.how}: it undoes the default-deny",
        f"name the {'clients' if direction is Direction.INGRESS else 'targets'} and ports, "
        "or have the namespace's baseline changed",
        # The old policy must have opened as much, to as many pods.
        keys=tuple(
            f"{direction.value} {one.protocol} IPv{one.family} {picked}"
            for one in sorted(cause.openings)
        ),
    )


POLICY = Policy(
    id="baseline-cancelled",
    title="No NetworkPolicy undoes the default-deny of its namespace",
    why=(
        "NetworkPolicies only add up: there is no rule that denies. One policy with "
        "`egress: [{}]`, or with 0.0.0.0/0 on every port, allows its pods everything in that "
        "direction, and the default-deny of the namespace's baseline stands there without effect."
    ),
    fix=(
        "Allow the peers and ports that the pods need and no more. If the namespace needs no "
        "default-deny in this direction, have an administrator choose another baseline for it: "
        f"the label {BASELINE} of the namespace shows which one it has."
    ),
    rules=NETWORK_POLICIES,
    standard=Action.WARN,
    strict=Action.DENY,
    params=NoParams,
    validate=validate,
)
