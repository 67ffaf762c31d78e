"""An update is denied for the openings it adds, and only warned of the others."""

from __future__ import annotations

from typing import Any

import msgspec

from policies.model import UPDATE, Action, Request, User
from policies.services import endpoint_slices, external_ips, load_balancer, node_port
from webhook.admission.gate import Gate, Review
from webhook.admission.ruleset import Ruleset, Setting, Step


def update(policy: Any, old: Any, new: Any, **request: Any) -> list[tuple[Action, str]]:
    """Action and message of every finding, in the order of the denial."""
    asked = msgspec.structs.replace(
        Request(operation=UPDATE, group="", resource="services", user=User("jane")), **request
    )
    gate = Gate(Ruleset((Step(policy, Setting(Action.DENY, policy.params())),)))
    verdict = gate.validate(Review(asked, msgspec.json.encode(new), msgspec.json.encode(old)))
    assert verdict.errors == ()
    return [(one.action, one.violation.message) for one in verdict.findings]


def service(kind: str, *ports: tuple[int, int], **spec: Any) -> dict[str, Any]:
    listed = [{"port": port, "nodePort": node, "protocol": "TCP"} for port, node in ports]
    return {"spec": {"type": kind, "clusterIP": "10.96.0.7", "ports": listed, **spec}}


def test_a_second_node_port_is_denied_and_the_first_one_only_warned_of() -> None:
    found = update(
        node_port.POLICY,
        service("NodePort", (80, 30080)),
        service("NodePort", (80, 30080), (443, 30081)),
    )
    assert found == [
        (Action.DENY, "must not be NodePort (port 443 would open on every node)"),
        (Action.WARN, "must not be NodePort (port 80 would open on every node)"),
    ]


def test_a_node_port_keeps_its_number_and_gets_another_service_port() -> None:
    found = update(
        node_port.POLICY, service("NodePort", (80, 30080)), service("NodePort", (8080, 30080))
    )
    assert [action for action, _ in found] == [Action.WARN]


def test_tcp_and_udp_on_one_number_are_two_openings() -> None:
    old, new = service("NodePort", (53, 30053)), service("NodePort", (53, 30053), (53, 30053))
    new["spec"]["ports"][1]["protocol"] = "UDP"
    found = update(node_port.POLICY, old, new)
    assert sorted(action.value for action, _ in found) == ["Deny", "Warn"]


def test_a_public_load_balancer_gets_another_port() -> None:
    found = update(
        load_balancer.POLICY,
        service("LoadBalancer", (443, 30443)),
        service("LoadBalancer", (443, 30443), (6379, 30379)),
    )
    assert [(action, message.partition(" would")[0]) for action, message in found] == [
        (Action.WARN, "must not be a public LoadBalancer (port 443"),
        (Action.DENY, "must not be a public LoadBalancer (port 6379 for Redis"),
    ]


def test_the_same_port_over_another_protocol_is_another_opening() -> None:
    old, new = service("LoadBalancer", (443, 30443)), service("LoadBalancer", (443, 30443))
    new["spec"]["ports"][0]["protocol"] = "UDP"
    assert [action for action, _ in update(load_balancer.POLICY, old, new)] == [Action.DENY]


def test_another_external_ip_beside_an_old_one() -> None:
    old = service("ClusterIP", externalIPs=["198.51.100.1"])
    new = service("ClusterIP", externalIPs=["198.51.100.2", "198.51.100.1"])
    found = update(external_ips.POLICY, old, new)
    assert [action for action, _ in found] == [Action.DENY, Action.WARN]


def test_another_address_in_the_status_beside_an_old_one() -> None:
    old = {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}}}
    new = {"status": {"loadBalancer": {"ingress": [{"ip": "8.8.8.8"}, {"ip": "198.51.100.1"}]}}}
    found = update(external_ips.POLICY, old, new, subresource="status")
    assert [action for action, _ in found] == [Action.DENY, Action.WARN]


def test_another_spelling_of_an_old_endpoint_is_no_new_one() -> None:
    slices = {"group": "discovery.k8s.io", "resource": "endpointslices"}
    old = {"addressType": "IPv6", "endpoints": [{"addresses": ["fe80::1"]}]}
    new = {"addressType": "IPv6", "endpoints": [{"addresses": ["FE80:0::1"]}]}
    assert [a for a, _ in update(endpoint_slices.POLICY, old, new, **slices)] == [Action.WARN]
