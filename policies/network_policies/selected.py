"""What the policies of one namespace allow, for each selector of pods and for a pod's labels.

NetworkPolicies are written per selector; the rules on them, `baseline preview` and whoever draws
a map need the answer per selector. Knows no other namespace and no traffic: see `effective`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from policies.network_policies.effective import Direction, Side, selector, union
from policies.network_policies.views import NetworkPolicy
from policies.selectors import LabelSelector, LabelSelectorRequirement


class Selected(NamedTuple):
    """Both directions of the pods that a selector picks."""

    selector: LabelSelector
    ingress: Side
    egress: Side

    def side(self, direction: Direction) -> Side:
        return self.ingress if direction is Direction.INGRESS else self.egress


def per_selector(policies: Iterable[NetworkPolicy]) -> tuple[Selected, ...]:
    """One for every distinct podSelector of the policies of a namespace, in their order."""
    policies = tuple(policies)
    distinct: list[LabelSelector] = []
    for policy in policies:
        if selector(policy) not in distinct:
            distinct.append(selector(policy))
    return tuple(for_selector(policies, one) for one in distinct)


def for_selector(policies: Iterable[NetworkPolicy], pods: LabelSelector) -> Selected:
    """What surely holds for every pod that ``pods`` picks.

    Counts the policies that apply to all of them. A pod whose labels match further selectors is
    allowed more, and `for_labels` knows.
    """
    given = _by_key(pods)
    return _selected(policies, pods, lambda other: _all_entailed(given, other))


def for_labels(policies: Iterable[NetworkPolicy], labels: Mapping[str, str]) -> Selected:
    """What holds for a pod, or the pods of a template, with exactly these labels."""
    pods = LabelSelector(matchLabels=dict(labels))
    return _selected(policies, pods, lambda other: other.matches(labels))


def _selected(
    policies: Iterable[NetworkPolicy],
    pods: LabelSelector,
    applies: Callable[[LabelSelector], bool],
) -> Selected:
    policies = tuple(policies)
    return Selected(
        pods,
        union(policies, Direction.INGRESS, applies),
        union(policies, Direction.EGRESS, applies),
    )


def implies(one: LabelSelector, other: LabelSelector) -> bool:
    """Whether everything that ``one`` picks is picked by ``other`` as well.

    Compares requirement by requirement: True is certain, False may be too careful.
    """
    return _all_entailed(_by_key(one), other)


_Requirements = Mapping[str, Iterable[LabelSelectorRequirement]]


def _by_key(pods: LabelSelector) -> _Requirements:
    found: dict[str, list[LabelSelectorRequirement]] = {}
    for one in requirements(pods):
        found.setdefault(one.key, []).append(one)
    return found


def _all_entailed(given: _Requirements, other: LabelSelector) -> bool:
    return all(
        any(_entails(has, needed) for has in given.get(needed.key, ()))
        for needed in requirements(other)
    )


def requirements(pods: LabelSelector) -> tuple[LabelSelectorRequirement, ...]:
    """A selector as requirements alone: a label of matchLabels is an ``In`` of one value."""
    return (
        *(
            LabelSelectorRequirement(key, "In", (value,))
            for key, value in (pods.matchLabels or {}).items()
        ),
        *(pods.matchExpressions or ()),
    )


def _entails(has: LabelSelectorRequirement, needed: LabelSelectorRequirement) -> bool:
    """Of the same key."""
    values, wanted = set(has.values or ()), set(needed.values or ())
    if needed.operator == "In":
        return has.operator == "In" and values <= wanted
    if needed.operator == "Exists":
        return has.operator in ("In", "Exists")
    if needed.operator == "DoesNotExist":
        return has.operator == "DoesNotExist"
    if has.operator == "In":
        return not values & wanted
    return has.operator == "DoesNotExist" or (has.operator == "NotIn" and values >= wanted)
