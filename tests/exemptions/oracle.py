"""Who was granted what, as an oracle of its own follows every request.

It reads the objects and knows nothing of claims, stamps or the gate.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from tests.exemptions.drawn import (
    NONE,
    Grant,
    Place,
    carrier,
    claims,
    facts,
    told,
    words,
)
from tests.exemptions.world import Answer, World
from webhook.exemptions.claim import EXEMPT, STAMP


class Oracle(RuleBasedStateMachine):
    """grants: by object. seen: annotations it had; stamped: those with a stamp, and where."""

    world: World
    grants: dict[Place, Grant]
    seen: list[dict[str, str]]
    stamped: list[tuple[str, dict[str, str]]]

    def _own(self, where: str, name: str) -> set[str]:
        """Stamps that were written there for workloads of a name, or that could stand for it."""
        names = tuple(f'/{one}"' for one in (name, name.rpartition("-")[0]) if one)
        stamps = [one[STAMP] for at, one in self.stamped if at == where]
        return {stamp for stamp in stamps if any(one in stamp for one in names)}

    def _stored(self) -> list[Place]:
        return sorted(place for place in self.world.store if place[0] != "namespaces")

    def _send(self, who: str, kind: str, obj: dict[str, Any], where: str, **how: Any) -> None:
        name = obj["metadata"]["name"]
        place = (kind, "" if kind == "namespaces" else where, name)
        old = copy.deepcopy(self.world.store.get(place))
        answer = self.world.send(who, kind, obj, where=where or name, **how)
        if not answer.allowed:
            return
        annotations = told(self._annotations(kind, answer.object))
        self.seen.append(annotations)
        if STAMP in annotations:
            self.stamped.append((where, annotations))
        if kind != "namespaces":
            self._check_written(who, place, old, answer)
        if not how.get("dry_run"):
            sent = told(self._annotations(kind, obj))
            self._note(who, place, sent, old, answer.object)

    def _annotations(self, kind: str, obj: dict[str, Any]) -> dict[str, str]:
        on = obj if kind == "namespaces" else carrier(obj)
        found: dict[str, str] = on["metadata"].get("annotations") or {}
        return found

    def _may(self, who: str, where: str) -> bool:
        return who == "root" or (who == "anna" and where == "dev")

    def _around(self, where: str) -> frozenset[str]:
        """Policies that are lifted in a namespace now."""
        grant = self.grants.get(("namespaces", "", where), NONE)
        return grant.policies if grant.until > self.world.now else frozenset()

    def _check_written(
        self, who: str, place: Place, old: dict[str, Any] | None, answer: Answer
    ) -> None:
        """Somebody without the right has brought nothing that violates."""
        if self._may(who, place[1]):
            return
        before = facts(carrier(old)["spec"]) if old else frozenset()
        added = facts(carrier(answer.object)["spec"]) - before
        bad = {fact for fact in added if fact[0] not in self._around(place[1])}
        assert not bad, f"{who} has brought {bad} into {place}"
        was = words(self._annotations(place[0], old)) if old else {}
        now = words(self._annotations(place[0], answer.object))
        if now != was and EXEMPT in now:
            grant, (named, until) = self.grants.get(place, NONE), claims(now)
            assert named <= grant.policies, f"{who} claims {named} of {place}"
            assert until <= grant.until, f"{who} has prolonged {place}"

    def _check_made(self, answer: Answer, owner: Place) -> None:
        """A controller has made nothing that was not granted to its owner."""
        if not answer.allowed:
            return
        grant = self.grants.get(owner, NONE)
        lifted = grant.facts if grant.until > self.world.now else frozenset()
        for fact in facts(carrier(answer.object)["spec"]):
            granted = fact in lifted and fact[0] in grant.policies
            assert granted or fact[0] in self._around(owner[1]), f"{owner} was not granted {fact}"

    def _note(
        self, who: str, place: Place, sent: dict[str, str], old: dict[str, Any] | None, new: Any
    ) -> None:
        """What is granted after a request that was admitted."""
        annotations = self._annotations(place[0], new)
        was = told(self._annotations(place[0], old)) if old else {}
        named, until = claims(annotations)
        present = frozenset() if place[0] == "namespaces" else facts(carrier(new)["spec"])
        grant = self.grants.get(place, NONE)
        may = who == "root" if place[0] == "namespaces" else self._may(who, place[1])
        if may and sent != was:  # what the gate itself has written there grants nothing
            self.grants[place] = Grant(named, present, until)
            return
        looked = present if may else grant.facts  # who may has seen what the object is now
        kept = grant.policies & named
        self.grants[place] = Grant(kept, looked, min(grant.until, until)) if kept else NONE
