"""Pods that policies cannot tell apart as one class, and sets of classes as the bits of a number.

A selector is a few ANDs of such numbers, so that thousands of rules over thousands of pods take a
moment. Must agree with `LabelSelector.matches`, which the tests hold it to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from policies.network_policies.effective import Allow, Direction, allows, selector
from policies.network_policies.selected import requirements
from policies.network_policies.views import NetworkPolicyPeer
from policies.selectors import LabelSelector
from webhook.audit.baseline.cluster import Actor
from webhook.audit.exposure.sides import Both, Sides

Labels = Mapping[str, str]


class Pods(NamedTuple):
    """One class: what one of its pods may, all of them may. members: how many workloads."""

    namespace: str
    ports: Mapping[tuple[str, str], int]
    both: Both
    members: int


class Classes:
    """All pods that NetworkPolicies speak to. every: the set of all classes."""

    def __init__(
        self, actors: Iterable[Actor], namespaces: Mapping[str, Labels], sides: Sides
    ) -> None:
        reads = _Reads(sides)
        grouped: dict[object, list[Actor]] = defaultdict(list)
        for one in actors:
            if not one.host_network:
                grouped[reads.key(one)].append(one)
        self._pods, self._namespaces = _Index(), _Index()
        self.of_namespace: dict[str, int] = defaultdict(int)
        self.all: list[Pods] = []
        for position, some in enumerate(grouped.values()):
            first, bit = some[0], 1 << position
            self.all.append(
                Pods(
                    first.namespace,
                    first.ports,
                    sides.of(first.namespace, first.labels),
                    len(some),
                )
            )
            self._pods.add(first.labels, bit)
            self._namespaces.add(namespaces.get(first.namespace, {}), bit)
            self.of_namespace[first.namespace] |= bit
        self.every = (1 << len(self.all)) - 1

    def peers(self, rule: Allow) -> int:
        """The classes that a rule means; blocks of addresses mean none, which is told nowhere."""
        if not rule.peers:
            return self.every
        found = 0
        for one in rule.peers:
            found |= self._peer(one, rule.namespace)
        return found

    def _peer(self, peer: NetworkPolicyPeer, namespace: str) -> int:
        if peer.ipBlock is not None:
            return 0
        if peer.namespaceSelector is None:
            found = self.of_namespace.get(namespace, 0)
        else:
            found = self._namespaces.matching(peer.namespaceSelector, self.every)
        return self._pods.matching(peer.podSelector, found) if peer.podSelector else found


class _Reads:
    """What of a pod any policy reads at all."""

    def __init__(self, sides: Sides) -> None:
        policies = [one for some in sides.policies.values() for one in some]
        rules = [rule for one in policies for way in Direction for rule in allows(one, way)]
        selectors = [selector(one) for one in policies]
        selectors += [peer.podSelector for rule in rules for peer in rule.peers if peer.podSelector]
        self._keys = {need.key for one in selectors for need in requirements(one)}
        self._named = {
            port.port for rule in rules for port in rule.ports if isinstance(port.port, str)
        }

    def key(self, actor: Actor) -> object:
        labels = ((key, value) for key, value in actor.labels.items() if key in self._keys)
        ports = (item for item in actor.ports.items() if item[0][0] in self._named)
        return actor.namespace, frozenset(labels), frozenset(ports)


class _Index:
    """Which classes have a label, and which have it with a value."""

    def __init__(self) -> None:
        self._key: dict[str, int] = defaultdict(int)
        self._value: dict[tuple[str, str], int] = defaultdict(int)

    def add(self, labels: Labels, bit: int) -> None:
        for key, value in labels.items():
            self._key[key] |= bit
            self._value[key, value] |= bit

    def matching(self, selector: LabelSelector, among: int) -> int:
        for need in requirements(selector):
            if need.operator in ("In", "NotIn"):
                found = 0
                for value in need.values or ():
                    found |= self._value.get((need.key, value), 0)
            else:
                found = self._key.get(need.key, 0)
            among &= found if need.operator in ("In", "Exists") else ~found
        return among


def bits(number: int) -> Iterator[int]:
    """The positions of the bits that are set."""
    text = f"{number:b}"[::-1]  # to search a text is quick however long the number is
    position = text.find("1")
    while position >= 0:
        yield position
        position = text.find("1", position + 1)
