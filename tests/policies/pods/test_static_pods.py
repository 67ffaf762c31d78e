"""Mirror pods of static pods: a node has run them already, and a denial would only hide them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from policies import catalogue
from policies.model import CREATE, Action, Request, User
from policies.workloads import PODS
from tests.policies.pods.given import denying, pod, request
from webhook.admission.gate import Review
from webhook.admission.verdict import Verdict

NODE = User("system:node:node-1", groups=("system:nodes", "system:authenticated"))
JUDGES = [one for one in catalogue() if one.validate and PODS in one.rules]
MIRROR = {"kubernetes.io/config.mirror": "0f3c"}
WORST: dict[str, Any] = pod(
    {
        "image": "haproxy",
        "ports": [{"containerPort": 80, "hostPort": 80}],
        "livenessProbe": {"httpGet": {"host": "10.0.0.1", "port": 80}},
        "securityContext": {"privileged": True, "capabilities": {"add": ["NET_ADMIN"]}},
    },
    nodeName="node-1",
    securityContext={"sysctls": [{"name": "net.ipv4.ip_forward", "value": "1"}]},
)


def judged(user: User, annotations: dict[str, str], **spec: Any) -> Verdict:
    metadata = {"name": "haproxy-node-1", "annotations": annotations}
    body = msgspec.json.encode({**WORST, "metadata": metadata, "spec": {**WORST["spec"], **spec}})
    asked: Request = msgspec.structs.replace(request(CREATE), user=user)
    return denying(*JUDGES).validate(Review(asked, body))


@pytest.mark.parametrize("host_network", [True, False])
def test_what_a_node_reports_is_only_audited(host_network: bool) -> None:
    denied = judged(User("jane"), MIRROR, hostNetwork=host_network)
    audited = judged(NODE, MIRROR, hostNetwork=host_network)
    assert audited.allowed
    assert {finding.action for finding in audited.findings} == {Action.AUDIT}
    assert [one.violation for one in audited.findings] == [one.violation for one in denied.findings]
    assert "host-network" in {one.policy for one in audited.findings} or not host_network
    assert "host-port" in {one.policy for one in audited.findings} or host_network


@pytest.mark.parametrize(
    ("user", "annotations"),
    [
        (User("jane", groups=("dev",)), MIRROR),
        (User("jane", groups=("system:nodes",)), MIRROR),
        (User("system:node:node-1", groups=("dev",)), MIRROR),
        (NODE, {"kubernetes.io/config.source": "file"}),
    ],
)
def test_nothing_else_is_a_mirror_pod(user: User, annotations: dict[str, str]) -> None:
    verdict = judged(user, annotations, hostNetwork=True)
    assert {finding.action for finding in verdict.findings} == {Action.DENY}
