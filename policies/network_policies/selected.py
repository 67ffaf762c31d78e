"""What the policies of one namespace allow, for a selector of pods or for a pod's labels.

Knows no other namespace and no traffic: see `effective`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from policies.network_policies.effective import Direction, Side, union
from policies.network_policies.views import NetworkPolicy
from policies.selectors import LabelSelector, LabelSelectorRequirement


class Selected(NamedTuple):
    """Both directions of the pods that a selector picks."""

    selector: LabelSelector
    ingress: Side
    egress: Side

    def side(self, direction: Direction) -> Side:
        return self.ingress if direction is Direction.INGRESS else self.egress


def for_selector(policies: Iterable[NetworkPolicy], pods: LabelSelector) -> Selected:
    """What surely holds for every pod that ``pods`` picks.

    Counts the policies that apply to all of them, compared requirement by requirement: one that is
    counted surely applies, one that is not may apply all the same. A pod whose labels match further
    selectors is allowed more; `for_labels` tells that.
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
