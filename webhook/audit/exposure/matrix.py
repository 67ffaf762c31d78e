"""Who may talk to whom: for every pair of namespaces, what the union of all policies allows.

As `policies.network_policies.effective.allowed` says for every pair of pods and every port; the
tests hold the two together. Addresses of pods are not looked at: a rule with an ipBlock opens
nothing between pods here, and what it does there differs between network plugins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from policies.network_policies.effective import Allow, Side
from webhook.audit.baseline.cluster import Actor
from webhook.audit.exposure.bits import Classes, Labels, bits
from webhook.audit.exposure.model import Pair
from webhook.audit.exposure.ports import EVERY, NONE, Ports, common, opened, words
from webhook.audit.exposure.sides import Sides

Open: TypeAlias = dict[Ports, int]
"""By what is open, the set of classes that it is open to."""


def reachable(
    actors: Iterable[Actor], namespaces: Mapping[str, Labels], sides: Sides
) -> Iterator[Pair]:
    """Every pair of namespaces with pods, by their names; a pod's way to itself is not counted."""
    classes = Classes(actors, namespaces, sides)
    found = _both(_let_in(classes), _let_out(classes))
    names = sorted(classes.of_namespace)
    columns = {name: list(_column(classes, found, name, names)) for name in names}
    for position in range(len(names)):
        for target in names:
            yield columns[target][position]


def _let_in(classes: Classes) -> list[Open]:
    """For every class, whose connections its ingress side lets in."""
    return [_ingress(classes, one.both.ingress, one.ports) for one in classes.all]


def _ingress(classes: Classes, side: Side, named: Mapping[tuple[str, str], int]) -> Open:
    if not side.isolated:
        return {EVERY: classes.every}
    found: Open = defaultdict(int)
    for rule in side.allows:
        found[opened(rule, named)] |= classes.peers(rule)
    return found


def _let_out(classes: Classes) -> list[Open]:
    """For every class, who is let out to it: the egress sides, turned around."""
    alike: dict[int, tuple[Side, int]] = {}
    free = 0
    for position, one in enumerate(classes.all):
        side = one.both.egress
        if side.isolated:
            _, known = alike.get(id(side), (side, 0))
            alike[id(side)] = side, known | 1 << position
        else:
            free |= 1 << position
    found: list[Open] = [defaultdict(int, {EVERY: free}) for _ in classes.all]
    for side, sources in alike.values():
        for rule in side.allows:
            _add(classes, rule, sources, found)
    return found


def _add(classes: Classes, rule: Allow, sources: int, found: list[Open]) -> None:
    named = any(isinstance(port.port, str) for port in rule.ports)
    ports = opened(rule, {})
    for position in bits(classes.peers(rule)):
        at = opened(rule, classes.all[position].ports) if named else ports
        found[position][at] |= sources


def _both(let_in: list[Open], let_out: list[Open]) -> list[Open]:
    """For every class, who reaches it on what: both ends have to agree."""
    found: list[Open] = []
    for inwards, outwards in zip(let_in, let_out, strict=True):
        here: Open = defaultdict(int)
        for some, sources in inwards.items():
            for others, senders in outwards.items():
                ports, who = common(some, others), sources & senders
                if who and ports != NONE:
                    here[ports] |= who
        found.append(here)
    return found


def _column(
    classes: Classes, found: list[Open], target: str, names: Iterable[str]
) -> Iterator[Pair]:
    """All pairs with one target."""
    mine = [(classes.all[at], found[at]) for at in bits(classes.of_namespace[target])]
    total = sum(one.members for one, _ in mine)
    for source in names:
        senders = classes.of_namespace[source]
        here = [
            (one, {ports for ports, who in reach.items() if who & senders}) for one, reach in mine
        ]
        reached = sum(one.members for one, sets in here if sets)
        everything = all(reach.get(EVERY, 0) & senders == senders for _, reach in mine)
        yield Pair(
            source,
            target,
            "all" if everything else "some" if reached else "nothing",
            words(ports for _, sets in here for ports in sets),
            reached,
            total,
        )
