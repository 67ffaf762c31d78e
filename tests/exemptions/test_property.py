"""No sequence of requests by people without the right turns a denied object into an admitted one.

What was granted is for the oracle to say (tests/exemptions/oracle.py).
"""

from __future__ import annotations

import copy
import os
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.exemptions.drawn import (
    BOTH,
    CLAIMS,
    GOOD,
    KINDS,
    NAMES,
    NONE,
    SPACES,
    SPECS,
    WRITERS,
    Grant,
    Place,
    carrier,
    made_of,
)
from tests.exemptions.oracle import Oracle
from tests.exemptions.world import KUBE, World, claim, namespace, owned, spec
from webhook.exemptions.claim import DAY, EXEMPT, REASON, STAMP, UNTIL
from webhook.exemptions.stamp import Keys

pytestmark = pytest.mark.slow
STEPS, EXAMPLES = (60, 1500) if os.environ.get("NETREEVE_SCALE") == "full" else (40, 150)


class Exempting(Oracle):
    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.world.rights = {
            *(("anna", policy, "dev") for policy in ("host-network", "host-port")),
            ("root", "", ""),
        }
        self.seen: list[dict[str, str]] = [{}]
        self.stamped: list[tuple[str, dict[str, str]]] = []
        self.gone: list[tuple[Place, dict[str, Any]]] = []
        self.grants: dict[Place, Grant] = {}
        self.keys = 0
        soon = {"until": "2026-12-31"}
        self.grant("deployments", "web", claim("host-network", **soon), spec())
        self.grant("statefulsets", "api", claim(*BOTH), spec())
        self.grant(
            "deployments", "api", claim(*BOTH, **soon), spec(host_network=False, host_port=9100)
        )
        self.deploy("web", "dev", "6d4c")

    # --- what people do

    @rule(kind=KINDS, name=NAMES, claimed=GOOD, pod=SPECS)
    def grant(self, kind: str, name: str, claimed: dict[str, str], pod: dict[str, Any]) -> None:
        """Anna exempts something where she may."""
        self._send("anna", kind, made_of(kind, name, claimed, pod), "dev")

    @rule(place=st.tuples(KINDS, SPACES, NAMES), claimed=CLAIMS, pod=SPECS, data=st.data())
    def write(
        self, place: Place, claimed: dict[str, str], pod: dict[str, Any], data: st.DataObject
    ) -> None:
        """Something new or in the place of something old, with annotations from anywhere."""
        kind, where, name = place
        seen = data.draw(st.sampled_from(self.seen))
        mixed = st.sampled_from([claimed, seen, {**seen, **claimed}, {**claimed, **seen}])
        obj = made_of(kind, name, data.draw(mixed), pod)
        if data.draw(st.booleans()):
            of = data.draw(st.sampled_from(["ReplicaSet", "Deployment"]))
            obj = owned(obj, "apps/v1", of, data.draw(NAMES))
        mutating = data.draw(st.sampled_from([True, True, True, False]))
        dry_run = data.draw(st.booleans())
        self._send(data.draw(WRITERS), kind, obj, where, mutating=mutating, dry_run=dry_run)

    @precondition(lambda self: self._stored())
    @rule(who=WRITERS, claimed=CLAIMS, pod=SPECS, data=st.data())
    def edit(self, who: str, claimed: dict[str, str], pod: Any, data: st.DataObject) -> None:
        """One thing of something that is there."""
        kind, where, name = data.draw(st.sampled_from(self._stored()))
        obj = copy.deepcopy(self.world.store[kind, where, name])
        on = carrier(obj)
        annotations = on["metadata"].setdefault("annotations", {})
        change = data.draw(st.sampled_from(["all", "claim", "part", "stamp", "remove"]))
        if change == "all":
            on["spec"], on["metadata"]["annotations"] = copy.deepcopy(pod), dict(claimed)
        elif change == "claim":
            annotations |= claimed
        elif change == "part" and claimed:
            part = data.draw(st.sampled_from(sorted(claimed)))
            annotations[part] = claimed[part]
        elif change == "stamp":
            annotations[STAMP] = data.draw(st.sampled_from(self.seen)).get(STAMP, "please")
        else:
            for one in data.draw(st.sampled_from([(EXEMPT,), (STAMP,), (UNTIL, REASON)])):
                annotations.pop(one, None)
        self._send(who, kind, obj, where)

    @rule(who=WRITERS, where=SPACES, claimed=CLAIMS, data=st.data())
    def name_space(
        self, who: str, where: str, claimed: dict[str, str], data: st.DataObject
    ) -> None:
        annotations = data.draw(st.sampled_from([claimed, *self.seen]))
        self._around_with(who, where, annotations)

    @precondition(lambda self: self._stored())
    @rule(who=st.sampled_from(["root", "root", "anna"]), pod=SPECS, data=st.data())
    def meanwhile(self, who: str, pod: dict[str, Any], data: st.DataObject) -> None:
        """Somebody exempts a namespace for a while, in which Jane changes what runs there."""
        where = data.draw(st.sampled_from(self._stored()))[1]
        self._around_with(who, where, claim(*BOTH))
        self.change(pod=pod, data=data)
        self.write(place=("pods", where, "new"), claimed={}, pod=pod, data=data)
        self._around_with("jane", where, {})
        self.run()

    def _around_with(self, who: str, where: str, annotations: dict[str, str]) -> None:
        new = namespace({}, where)
        obj = copy.deepcopy(self.world.store.get(("namespaces", "", where), new))
        obj["metadata"]["annotations"] = dict(annotations)
        self._send(who, "namespaces", obj, "")

    @rule(kind=st.sampled_from(["deployments", "replicasets"]), name=NAMES, where=SPACES,
          pod=SPECS, data=st.data())  # fmt: skip
    def bypass(self, kind: str, name: str, where: str, pod: Any, data: st.DataObject) -> None:
        """Jane writes while nobody asks the gate, with the stamps of others.

        With a stamp of its own a workload that is changed past the gate keeps its exemption:
        docs/adr/0005 says why that is accepted.
        """
        own = self._own(where, name)
        others = [one for one in self.seen if one.get(STAMP) not in own]
        annotations = data.draw(st.sampled_from(others))
        obj = made_of(kind, name, annotations, pod)
        self.world.send("jane", kind, obj, where=where, mutating=False, validating=False)
        self.grants[kind, where, name] = NONE

    @precondition(lambda self: self._stored())
    @rule(data=st.data(), who=st.sampled_from(["jane", "root"]))
    def carry_off(self, data: st.DataObject, who: str) -> None:
        """Into the other namespace while nobody asks the gate; touched later by somebody."""
        kind, where, name = data.draw(st.sampled_from(self._stored()))
        other = "dev" if where == "prod" else "prod"
        obj = copy.deepcopy(self.world.store[kind, where, name])
        stamp = self._annotations(kind, obj).get(STAMP)
        if (kind, other, name) in self.world.store or stamp in self._own(other, name):
            return
        self.world.send("jane", kind, obj, where=other, mutating=False, validating=False)
        obj = copy.deepcopy(obj)
        obj["metadata"]["labels"] = {"a": "b"}
        self._send(who, kind, obj, other)
        if kind == "deployments":
            self.deploy(name, other, "6d4c")

    @precondition(lambda self: self._stored())
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(self._stored()))
        self.gone.append((place, self.world.store.pop(place)))
        self.grants.pop(place, None)

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """From a backup, by Jane."""
        (kind, where, _), obj = data.draw(st.sampled_from(self.gone))
        self._send("jane", kind, copy.deepcopy(obj), where)

    @precondition(lambda self: self._stored())
    @rule(who=st.sampled_from(["jane", "anna", "root"]), label=NAMES, data=st.data())
    def touch(self, who: str, label: str, data: st.DataObject) -> None:
        """An update that has nothing to do with the exemption."""
        kind, where, name = data.draw(st.sampled_from(self._stored()))
        obj = copy.deepcopy(self.world.store[kind, where, name])
        obj["metadata"]["labels"] = {"a": label}
        self._send(who, kind, obj, where)

    @precondition(lambda self: self._stored())
    @rule(pod=SPECS, data=st.data())
    def change(self, pod: dict[str, Any], data: st.DataObject) -> None:
        """Jane changes what runs, and leaves the annotations alone."""
        kind, where, name = data.draw(st.sampled_from(self._stored()))
        obj = copy.deepcopy(self.world.store[kind, where, name])
        carrier(obj)["spec"] = copy.deepcopy(pod)
        self._send("jane", kind, obj, where)

    @precondition(lambda self: self._stored())
    @rule(kind=KINDS, owned_too=st.booleans(), data=st.data())
    def copy(self, kind: str, owned_too: bool, data: st.DataObject) -> None:
        """Jane makes something of the template of something else, and says whose it is."""
        source, where, name = data.draw(st.sampled_from(self._stored()))
        template = carrier(self.world.store[source, where, name])
        annotations = template["metadata"].get("annotations", {})
        obj = made_of(kind, f"{name}-{kind[:2]}", annotations, template["spec"])
        if owned_too:
            of = {"deployments": "Deployment", "statefulsets": "StatefulSet"}
            obj = owned(obj, "apps/v1", of.get(source, "ReplicaSet"), name)
        self._send("jane", kind, obj, data.draw(st.sampled_from([where, "dev", "prod"])))

    # --- what controllers do

    @rule(name=NAMES, where=SPACES, digest=st.sampled_from(["6d4c", "7e5d"]))
    def deploy(self, name: str, where: str, digest: str) -> None:
        place, made_place = ("deployments", where, name), ("replicasets", where, f"{name}-{digest}")
        if place not in self.world.store or made_place in self.world.store:
            return
        template = copy.deepcopy(carrier(self.world.store[place]))
        made = {"metadata": {"name": f"{name}-{digest}"}, "spec": {"template": template}}
        made = owned(made, "apps/v1", "Deployment", name)
        answer = self.world.send(f"{KUBE}deployment-controller", "replicasets", made, where=where)
        self._check_made(answer, place)
        if answer.allowed:
            self.grants[made_place] = self.grants.get(place, NONE)

    @rule()
    def run(self) -> None:
        """A pod of everything that makes pods; none of them is kept."""
        kinds = {"replicasets": "ReplicaSet", "statefulsets": "StatefulSet"}
        for place in self._stored():
            if place[0] in kinds:
                self._pod_of(place, kinds[place[0]])

    def _pod_of(self, place: Place, kind: str) -> None:
        template = copy.deepcopy(carrier(self.world.store[place]))
        meta = {**template["metadata"], "generateName": f"{place[2]}-"}
        made = owned({"metadata": meta, "spec": template["spec"]}, "apps/v1", kind, place[2])
        user = f"{KUBE}{kind.lower()}-controller"
        answer = self.world.send(user, "pods", made, where=place[1], dry_run=True)
        self._check_made(answer, place)

    # --- what else happens

    @rule(keep=st.sampled_from([True, True, False]))
    def rotate(self, keep: bool) -> None:
        self.keys += 1
        key = bytes([self.keys % 256]) * 32
        ring = self.world.ring
        ring.keys = Keys(key, ring.keys.current if keep and ring.keys else None)

    @rule(days=st.sampled_from([1, 3, 10, 40]))
    def wait(self, days: int) -> None:
        self.world.now += days * DAY
        self.run()

    @rule(down=st.sampled_from([False, False, True]))
    def ask(self, down: bool) -> None:
        self.world.down = down


TestNobodyExemptsThemselves = Exempting.TestCase
TestNobodyExemptsThemselves.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None
)
