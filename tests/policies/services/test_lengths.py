"""A list that is too long is refused as a whole; the longest that is judged is judged."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from policies.model import UPDATE, Action, Request, User
from policies.services import endpoint_slices, external_ips, load_balancer, node_port
from policies.services.lengths import MOST_ADDRESSES, MOST_ENTRIES
from webhook.admission.gate import Gate, Review
from webhook.admission.ruleset import Ruleset, Setting, Step

ADDRESSES = [f"10.0.{number // 250}.{1 + number % 250}" for number in range(MOST_ADDRESSES + 1)]
PORTS = [{"port": number, "nodePort": 30000 + number} for number in range(1, MOST_ENTRIES + 2)]
SERVICES = {"group": "", "resource": "services"}
SLICES = {"group": "discovery.k8s.io", "resource": "endpointslices"}


def internal(length: int) -> dict[str, Any]:
    ports = [{"port": one["port"]} for one in PORTS[:length]]
    return {"spec": {"type": "LoadBalancer", "loadBalancerClass": "tailscale", "ports": ports}}


def node_ports(length: int) -> dict[str, Any]:
    return {"spec": {"type": "NodePort", "ports": PORTS[:length]}}


def external(length: int) -> dict[str, Any]:
    return {"spec": {"externalIPs": ADDRESSES[:length]}}


def slices(length: int) -> dict[str, Any]:
    endpoints = [{"addresses": [one]} for one in ADDRESSES[:length]]
    return {"addressType": "IPv4", "endpoints": endpoints}


def subsets(length: int) -> dict[str, Any]:
    one, *rest = [{"ip": one} for one in ADDRESSES[:length]]
    return {"subsets": [{"addresses": [one], "notReadyAddresses": rest}]}


LISTS = [
    (load_balancer.POLICY, {}, internal, MOST_ENTRIES, "spec.ports", SERVICES),
    (
        node_port.POLICY,
        {"allowedPorts": ("30000-32767",)},
        node_ports,
        MOST_ENTRIES,
        "spec.ports",
        SERVICES,
    ),
    (
        external_ips.POLICY,
        {"allowedCIDRs": ("10.0.0.0/8",)},
        external,
        MOST_ENTRIES,
        "spec.externalIPs",
        SERVICES,
    ),
    (endpoint_slices.POLICY, {}, slices, MOST_ADDRESSES, "endpoints", SLICES),
    (
        endpoint_slices.POLICY,
        {},
        subsets,
        MOST_ADDRESSES,
        "subsets",
        {"group": "", "resource": "endpoints"},
    ),
]


@pytest.mark.parametrize("given", LISTS, ids=lambda one: f"{one[0].id}:{one[4]}")
def test_one_entry_too_many_is_one_violation_that_an_old_object_keeps(
    given: tuple[Any, ...],
) -> None:
    policy, params, make, most, field, where = given
    gate = Gate(Ruleset((Step(policy, Setting(Action.DENY, policy.params(**params))),)))
    asked = Request(operation=UPDATE, user=User("jane"), **where)

    def ask(old: int, **new: Any) -> list[tuple[Action, str, str]]:
        changed = msgspec.json.encode(make(most + 1) | new)
        verdict = gate.validate(Review(asked, changed, msgspec.json.encode(make(old))))
        assert verdict.errors == ()
        return [
            (one.action, one.violation.field, one.violation.message) for one in verdict.findings
        ]

    message = f"must not hold more than {most} entries"
    assert ask(most) == [(Action.DENY, field, message)]
    finalizers = {"metadata": {"finalizers": ["a"], "labels": {"a": "b"}}}
    assert ask(most + 1, **finalizers) == [(Action.WARN, field, message)]
    whole = Review(asked, msgspec.json.encode(make(most)), msgspec.json.encode(make(1)))
    assert gate.validate(whole).findings == ()
