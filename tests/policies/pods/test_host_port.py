"""host-port: what the ratchet sees as the same opening, and its parameters."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from policies.model import UPDATE, Action
from policies.pods import host_port
from policies.pods.host_port import POLICY, Params
from policies.workloads import PodView
from tests.policies.pods.given import denying, fields, found, pod, request, update, view


def port(number: int, **more: Any) -> dict[str, Any]:
    return {"containerPort": 80, "hostPort": number, **more}


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.255.0.3", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("128.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("localhost", False),
        ("127.1", False),
        ("0127.0.0.1", False),
    ],
)
def test_only_what_is_surely_loopback_counts_as_loopback(address: str, loopback: bool) -> None:
    subject = pod({"ports": [port(80, hostIP=address)]})
    assert (found(POLICY, subject, allowLoopback=True) == []) is loopback
    assert len(found(POLICY, subject)) == 1


def test_an_added_port_denies_beside_an_old_one_that_warns() -> None:
    old = pod({"ports": [port(80)]})
    new = pod({"ports": [port(443), port(80)]})
    verdict = update(denying(POLICY), old, new)
    assert fields(verdict, Action.DENY) == ["spec.containers[0].ports[0].hostPort"]
    assert fields(verdict, Action.WARN) == ["spec.containers[0].ports[1].hostPort"]


@pytest.mark.parametrize(
    ("before", "after", "denied"),
    [
        ({}, {"hostIP": "127.0.0.1"}, False),
        ({"hostIP": "127.0.0.1"}, {}, True),
        ({"hostIP": "127.0.0.1"}, {"hostIP": "10.0.0.5"}, True),
        ({"hostIP": "10.0.0.5"}, {"hostIP": "10.0.0.6"}, True),
        ({"hostIP": "10.0.0.5"}, {}, True),
        ({}, {"protocol": "TCP"}, False),
        ({}, {"protocol": "UDP"}, True),
        ({}, {"containerPort": 8080, "name": "http"}, False),
    ],
)
def test_another_address_or_protocol_is_another_opening(
    before: dict[str, Any], after: dict[str, Any], denied: bool
) -> None:
    old, new = (pod({"ports": [port(80, **more)]}) for more in (before, after))
    assert update(denying(POLICY), old, new).allowed is not denied


def test_the_node_network_of_one_pod_opens_nothing_for_another_of_the_same_object() -> None:
    old = view(pod({"ports": [port(80)]}, hostNetwork=True))
    new = view(pod({"ports": [port(80)]}))
    other = PodView("spec.other.spec", None, new.spec)
    asked = msgspec.structs.replace(request(UPDATE), old=old)
    limits = [
        [one.at_most for one in host_port.validate(subject, asked, Params())]
        for subject in (new, other)
    ]
    assert limits == [[Action.WARN], [None]]


@pytest.mark.parametrize(
    "params", [{"allowedPorts": [0]}, {"allowedPorts": [65536]}, {"ports": []}]
)
def test_parameters_that_make_no_sense_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(params, Params)
