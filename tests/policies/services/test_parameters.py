"""What an administrator may write as parameters, and what a mistake is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from policies.model import Policy
from policies.services import (
    endpoint_slices,
    external_ips,
    external_name,
    load_balancer,
    node_port,
)

POLICIES = [
    one.POLICY for one in (endpoint_slices, external_ips, external_name, load_balancer, node_port)
]


@pytest.mark.parametrize(
    ("policy", "params", "message"),
    [
        (node_port.POLICY, {"allowedPorts": [0]}, "0 is no port"),
        (node_port.POLICY, {"allowedPorts": [65536]}, "65536 is no port"),
        (node_port.POLICY, {"allowedPorts": ["30443"]}, "'30443' is no port"),
        (node_port.POLICY, {"allowedPorts": ["31000-30000"]}, "'31000-30000' is no port"),
        (node_port.POLICY, {"allowedPorts": ["30000-65536"]}, "'30000-65536' is no port"),
        (node_port.POLICY, {"allocatedNodePorts": "Mutate"}, "Invalid enum value"),
        (node_port.POLICY, {"allocatedNodePorts": "deny"}, "Invalid enum value"),
        (node_port.POLICY, {"allowedPort": [1]}, "unknown field"),
        (load_balancer.POLICY, {"provider": "gke"}, "'gke' is not known; known are alibaba, aws"),
        (load_balancer.POLICY, {"internalAnnotations": {"a": "b"}}, "Expected `array`"),
        (external_ips.POLICY, {"allowedCIDRs": ["10.0.0.1"]}, "'10.0.0.1' is no CIDR"),
        (endpoint_slices.POLICY, {"nodeCIDRs": ["::/200"]}, "'::/200' is no CIDR"),
        (external_name.POLICY, {"clusterDomains": []}, "unknown field"),
    ],
)
def test_a_mistake_is_named(policy: Policy[Any, Any], params: Any, message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(params, policy.params)
    assert message in str(raised.value)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
def test_defaults_and_strict_parameters_are_valid(policy: Policy[Any, Any]) -> None:
    assert policy.params.__doc__
    strict = msgspec.convert(dict(policy.strict_params), policy.params)
    fields = msgspec.structs.fields(policy.params)
    for field in fields:
        assert f"{field.name}:" in policy.params.__doc__, "every parameter is explained"
    assert msgspec.json.decode(msgspec.json.encode(strict), type=policy.params) == strict


def test_strict_denies_what_is_allocated() -> None:
    strict = msgspec.convert(dict(node_port.POLICY.strict_params), node_port.Params)
    assert node_port.Params().allocatedNodePorts == "Warn"
    assert strict.allocatedNodePorts == "Deny"
