"""What the policies of one namespace allow, for a selector of pods or for a pod's labels.

Knows no other namespace and no traffic: see `effective`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
    return _selected(policies, pods, counts_for(pods))


def counts_for(pods: LabelSelector) -> Callable[[LabelSelector], bool]:
    """Whether a policy with a selector applies to every pod that ``pods`` picks."""
    given = _by_key(pods)
    return lambda other: _all_entailed(given, other)


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


def joined(pods: LabelSelector, others: Iterable[LabelSelector]) -> Iterator[LabelSelector]:
    """Pods that ``pods`` picks and others do as well, each time as many of them as can at once.

    Each of the others has a part in one, unless no pod can be picked by it and ``pods``. Nobody
    needs to have made such a pod yet: whoever may create pods may give it all their labels.
    """
    given = requirements(pods)
    distinct = dict.fromkeys(frozenset(requirements(one)) for one in others)
    waiting = [one for one in distinct if _can_join({}, (*given, *one))]
    done: list[frozenset[LabelSelectorRequirement]] = []
    while waiting:
        together, left = _keyed(given), []
        for one in (*waiting, *done):
            if _can_join(together, one):
                for needed in one:
                    together.setdefault(needed.key, []).append(needed)
            elif one not in done:
                left.append(one)
        done += [one for one in waiting if one not in left]
        waiting = left
        found = {one for of_a_key in together.values() for one in of_a_key}
        yield LabelSelector(matchExpressions=tuple(sorted(found, key=repr)))


_Requirements = dict[str, list[LabelSelectorRequirement]]


def _can_join(given: _Requirements, other: Iterable[LabelSelectorRequirement]) -> bool:
    """Whether some pod meets both."""
    return all(
        _is_possible([*given.get(key, ()), *needed]) for key, needed in _keyed(other).items()
    )


def _is_possible(needed: list[LabelSelectorRequirement]) -> bool:
    """Whether a label can have a value, or be absent, so that all of these hold. Of one key."""
    operators = {one.operator for one in needed}
    if "DoesNotExist" in operators:
        return operators <= {"DoesNotExist", "NotIn"}
    allowed = [set(one.values or ()) for one in needed if one.operator == "In"]
    denied = {value for one in needed if one.operator == "NotIn" for value in one.values or ()}
    return not allowed or bool(set.intersection(*allowed) - denied)


def _by_key(pods: LabelSelector) -> _Requirements:
    return _keyed(requirements(pods))


def _keyed(needed: Iterable[LabelSelectorRequirement]) -> _Requirements:
    found: _Requirements = {}
    for one in needed:
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
