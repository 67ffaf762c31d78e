"""The audit in the background with the rights that the chart gives the controller, no more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.controlplane.wait import wait_for
from tests.helm.render import NAMESPACE
from tests.install.deployed import SHOP, SOON, Deployed

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
CAPABLE = {"capabilities": {"add": ["NET_RAW"]}}
MAIN = {"name": "main", "image": "registry.example/sniffer:1", "securityContext": CAPABLE}
SNIFFER = {
    "apiVersion": "v1",
    "kind": "PodTemplate",
    "metadata": {"name": "sniffer", "namespace": SHOP},
    "template": {"metadata": {"labels": {"app": "sniffer"}}, "spec": {"containers": [MAIN]}},
}


def test_what_is_warned_of_is_in_the_report(deployed: Deployed) -> None:
    deployed.kubectl("create", "-f", "-", stdin=json.dumps(SNIFFER))
    get = ("get", "configmap", "netreeve-audit", "-n", NAMESPACE, "-o", "json")

    def reported() -> list[Any]:
        text = deployed.kubectl(*get, check=False).stdout
        report = json.loads(json.loads(text)["data"]["report.json"]) if text else {"objects": []}
        return [one for one in report["objects"] if one["name"] == "sniffer"]

    (found,) = wait_for(reported, SOON, "the finding in the report")
    assert found["findings"][0]["policy"] == "net-capabilities"
    deployed.kubectl("delete", "podtemplate", "sniffer", "-n", SHOP)
