"""The list of exemptions: states, what is needed, order, and the words for people."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from policies.model import User
from policies.resources import BUILT_IN, Resource
from tests.exemptions.world import (
    KEY,
    NOW,
    World,
    claim,
    namespace,
    node_port,
    owned,
    pod,
    workload,
)
from webhook.audit.exemptions import Exemption, Gathering
from webhook.audit.findings import Unreadable
from webhook.audit.live.judging import Judge, Kind
from webhook.audit.live.provenance import Provenance
from webhook.audit.reports import exemptions as reports
from webhook.config import load, ruleset
from webhook.exemptions.stamp import Keys

CONFIG = """
apiVersion: netreeve.io/v1alpha1
kind: GateConfig
exemptions:
  granted:
    - {policies: [host-port], namespaces: [edge], reason: Edge proxies run there., until: never}
    - {policies: [host-port], users: [carl], reason: He has left long ago., until: 2026-01-01}
"""
RULES = ruleset(load(CONFIG))
KEYS = Keys(KEY)
RESOURCES: dict[str, Resource] = {one.resource: one for one in BUILT_IN}


class Cluster(World):
    """Objects of a world, and what an audit gathers of them."""

    def __init__(self) -> None:
        super().__init__(RULES)
        self.rights = {("anna", "", "dev"), ("root", "", "")}

    def gather(self, keys: Keys | None = KEYS) -> list[Exemption]:
        judge = Judge(RULES, self, Provenance((), User()), lambda: self.now, keys)
        found = Gathering(RULES, keys, self.now)
        for (resource, where, _), obj in self.store.items():
            kind = Kind(RESOURCES[resource], "v1")
            body = json.dumps({**obj, "metadata": {**obj["metadata"], "namespace": where}}).encode()
            stored = kind.read(body)
            found(kind, stored, body, judge.findings(kind, stored, body))
        return [one.exemption for one in found.listed()]


def states(found: list[Exemption]) -> dict[str, str]:
    return {one.title: one.state for one in found if one.kind != "configuration"}


def a_cluster() -> Cluster:
    world = Cluster()
    for user, resource, obj in (
        ("anna", "deployments", workload(claim("host-network", "probe-host"))),
        ("anna", "services", node_port(claim("node-port", until="2026-11-30", ticket="OPS-1"))),
        ("root", "namespaces", namespace(claim("host-port"))),
    ):
        assert world.send(user, resource, obj).allowed
    return world


def past_the_gate(world: Cluster, resource: str, obj: dict[str, Any]) -> None:
    world.send("jane", resource, obj, mutating=False, validating=False)


def test_what_is_exempt_and_what_for() -> None:
    world = a_cluster()
    assert world.send("jane", "pods", pod(name="proxy", host_network=False, host_port=80)).allowed
    _, service, deployment, inside, _ = world.gather()
    assert service.daysLeft == 9
    assert (service.title, service.needed) == ("Service dev/web", ("node-port",))
    assert (deployment.title, deployment.needed) == ("Deployment dev/web", ("host-network",))
    assert (deployment.by, deployment.at) == ("anna", "2026-11-21T12:00:00Z")
    assert (inside.title, inside.needed) == ("Namespace dev", ("host-port",))


def test_what_one_that_does_not_count_would_lift_is_what_it_is_needed_for() -> None:
    world = a_cluster()
    assert world.send("jane", "pods", pod(name="proxy", host_network=False, host_port=80)).allowed
    strangers = Keys(bytes(32))
    for found in (world.gather(strangers), world.gather(keys=None)):
        inside = next(one for one in found if one.title == "Namespace dev")
        assert (inside.state != "granted", inside.needed) == (True, ("host-port",))


def test_the_states() -> None:
    world = a_cluster()
    past_the_gate(world, "pods", pod(claim(), name="planted"))
    past_the_gate(world, "pods", pod(claim(reason=None), name="wrong"))
    world.now += 20 * 86400
    assert states(world.gather()) == {
        "Service dev/web": "ended",
        "Deployment dev/web": "granted",
        "Namespace dev": "granted",
        "Pod dev/planted": "not granted",
        "Pod dev/wrong": "invalid",
    }
    without = states(world.gather(keys=None))
    assert without["Deployment dev/web"] == "not verified"
    assert without["Pod dev/planted"] == "not granted"


def test_what_controllers_make_is_not_listed() -> None:
    world = a_cluster()
    assert world.replica_set().allowed
    assert world.pod_of().allowed
    assert len(states(world.gather())) == 3
    dressed = owned(pod(claim(), name="dressed"), "apps/v1", "Rollout", "x")
    past_the_gate(world, "pods", dressed)
    assert states(world.gather())["Pod dev/dressed"] == "not granted"


def test_those_of_the_configuration() -> None:
    world = a_cluster()
    proxy = pod(name="proxy", host_network=False, host_port=80)
    assert world.send("jane", "pods", proxy, where="edge").allowed
    edge, carl = (
        next(one for one in world.gather() if one.reason.startswith(words))
        for words in ("Edge", "He has")
    )
    assert (edge.state, edge.until, edge.needed) == ("granted", None, ("host-port",))
    assert (carl.state, carl.needed) == ("ended", ())


def test_the_words() -> None:
    out = io.StringIO()
    found = a_cluster().gather()
    reports.table(found, (), out)
    assert out.getvalue().startswith(
        "carl in every namespace  host-port  ended\n"
        "  ended with 2026-01-01; not needed any more: host-port\n"
        "  He has left long ago.\n"
        "\n"
        "Service dev/web  node-port  granted\n"
        "  until 2026-11-30, 9 days left; by anna at 2026-11-21T12:00:00Z; needed for node-port\n"
        "  It counts the packets of the node. (OPS-1)\n"
    )
    assert out.getvalue().endswith(
        "5 exemptions: 1 ended, 4 granted; 1 of them ends within 14 days; 3 not needed any more\n"
    )


@pytest.mark.parametrize(
    ("unread", "count", "none"),
    [
        ((), "5 exemptions: ", "0 exemptions"),
        (("nodes",), "5 exemptions: ", "0 exemptions"),
        (("nodes", "pods"), "at least 5 exemptions: ", "not known how many exemptions there are: "),
    ],
)
def test_what_was_not_read_is_not_counted_as_none(
    unread: tuple[str, ...], count: str, none: str
) -> None:
    missing = [Unreadable(one, None, f"you may not list {one}") for one in unread]
    for found, last in ((a_cluster().gather(), count), ([], none)):
        out = io.StringIO()
        reports.table(found, missing, out)
        assert out.getvalue().splitlines()[-1].startswith(last)


def test_json() -> None:
    out = io.StringIO()
    reports.json(a_cluster().gather(), (), out)
    first = json.loads(out.getvalue())["exemptions"][1]
    assert first["kind"] == "Service"
    assert first["until"] == NOW + 9.5 * 86400
