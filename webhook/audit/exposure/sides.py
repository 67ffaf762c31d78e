"""What policies say of pods with certain labels, remembered: most pods are alike to them.

Only labels that some podSelector of the namespace reads can tell two pods apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from policies.network_policies.effective import Direction, Side, selector, types
from policies.network_policies.selected import for_labels, requirements
from policies.network_policies.views import NetworkPolicy


class Both(NamedTuple):
    """Both directions of a pod, with the names of the policies that speak to each."""

    ingress: Side
    ingress_policies: tuple[str, ...]
    egress: Side
    egress_policies: tuple[str, ...]


class Sides:
    def __init__(self, policies: Iterable[NetworkPolicy]) -> None:
        self.policies: dict[str, list[NetworkPolicy]] = defaultdict(list)
        for one in policies:
            self.policies[(one.metadata and one.metadata.namespace) or ""].append(one)
        self._keys = {
            namespace: frozenset(
                requirement.key for one in some for requirement in requirements(selector(one))
            )
            for namespace, some in self.policies.items()
        }
        self._known: dict[tuple[str, frozenset[tuple[str, str]]], Both] = {}

    def of(self, namespace: str, labels: Mapping[str, str]) -> Both:
        keys = self._keys.get(namespace, frozenset())
        place = namespace, frozenset((key, labels[key]) for key in keys & labels.keys())
        if place not in self._known:
            self._known[place] = self._both(namespace, labels)
        return self._known[place]

    def _both(self, namespace: str, labels: Mapping[str, str]) -> Both:
        own = [one for one in self.policies.get(namespace, ()) if selector(one).matches(labels)]
        found = for_labels(own, labels)
        return Both(
            found.ingress,
            _speaking(own, Direction.INGRESS),
            found.egress,
            _speaking(own, Direction.EGRESS),
        )


def _speaking(policies: Iterable[NetworkPolicy], direction: Direction) -> tuple[str, ...]:
    return tuple(
        sorted(
            (one.metadata and one.metadata.name) or ""
            for one in policies
            if one.spec and direction in types(one.spec)
        )
    )
