"""The addresses of a pod are its node's to report, and Services send their traffic there.

No webhook stands before the status of pods, so the API server itself refuses, by a policy of the
chart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

pytestmark = pytest.mark.cluster
NODE = "node-of-pods"
SHOP = "shop-of-pods"
"""Where the tenant may do everything."""
TENANT = ("--as=tina", "--as-group=system:authenticated")
KUBELET = (f"--as=system:node:{NODE}", "--as-group=system:nodes",
           "--as-group=system:authenticated")  # fmt: skip
VIRTUAL = ("--as=system:serviceaccount:edge:virtual-kubelet", "--as-group=system:authenticated")
REFUSED = "must be what the node of the pod reports"
AT_THE_NODE = {"podIP": "192.0.2.10", "podIPs": [{"ip": "192.0.2.10"}]}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "shop", "labels": {"app": "shop"}},
    "spec": {"nodeName": NODE, "containers": [{"name": "shop", "image": "example.com/shop:1"}]},
}
RIGHTS = (
    ("namespace", SHOP),
    ("role", "everything", "--verb=*", "--resource=*", f"--namespace={SHOP}"),
    ("rolebinding", "everything", "--role=everything", "--user=tina", f"--namespace={SHOP}"),
    ("clusterrole", "virtual-nodes", "--verb=update", "--resource=pods/status,nodes/status"),
    ("clusterrolebinding", "virtual-nodes", "--clusterrole=virtual-nodes",
     "--serviceaccount=edge:virtual-kubelet"),
)  # fmt: skip


@pytest.fixture(scope="module")
def shop(installed: ControlPlane) -> Iterator[ControlPlane]:
    """A pod on a node without kubelet, and the policy in force."""
    for one in RIGHTS:
        installed.kubectl("create", *one)
    installed.add_node(NODE)
    installed.kubectl("create", "-n", SHOP, "-f", "-", stdin=json.dumps(POD))
    attempt = partial(says, installed, AT_THE_NODE, *TENANT, query="?dryRun=All")
    wait_for(lambda: REFUSED in attempt(), 20, "the policy in force")
    yield installed
    installed.kubectl("delete", "pod", "shop", "-n", SHOP, "--force", "--grace-period=0")
    for kind, name, *_ in (*RIGHTS[-2:], ("node", NODE), ("namespace", SHOP)):
        installed.kubectl("delete", kind, name, "--wait=false")


def says(cluster: ControlPlane, status: dict[str, Any], *who: str, query: str = "") -> str:
    """What is said against writing this into the status of the pod; "" when it is written."""
    stored = json.loads(cluster.kubectl("get", "pod", "shop", "-n", SHOP, "-o", "json").stdout)
    stored["status"] |= status
    path = f"/api/v1/namespaces/{SHOP}/pods/shop/status{query}"
    put = ("replace", "--raw", path, "-f", "-")
    return cluster.kubectl(*put, *who, stdin=json.dumps(stored), check=False).stderr


def address(cluster: ControlPlane) -> str:
    found = ("get", "pod", "shop", "-n", SHOP, "-o", "jsonpath={.status.podIPs}")
    return cluster.kubectl(*found).stdout


def test_who_may_do_everything_in_a_namespace_aims_no_service_at_a_node(shop: ControlPlane) -> None:
    assert REFUSED in says(shop, AT_THE_NODE, *TENANT)
    assert REFUSED in says(shop, {"podIPs": AT_THE_NODE["podIPs"]}, *TENANT)
    assert REFUSED in says(shop, {"podIP": AT_THE_NODE["podIP"]}, *TENANT)
    assert address(shop) == ""


def test_the_rest_of_a_status_is_nobodys_business(shop: ControlPlane) -> None:
    assert says(shop, READY, *TENANT) == ""


@pytest.mark.parametrize(("ip", "who"), [("10.0.0.7", KUBELET), ("10.0.0.8", VIRTUAL)])
def test_who_runs_nodes_reports_addresses(
    shop: ControlPlane, ip: str, who: tuple[str, ...]
) -> None:
    status = {"podIP": ip, "podIPs": [{"ip": ip}]}
    assert says(shop, status, *who) == ""
    assert ip in address(shop)
    assert says(shop, {**status, **READY}, *TENANT) == ""  # as they are
    assert REFUSED in says(shop, {"podIPs": [{"ip": ip}, {"ip": "2001:db8::10"}]}, *TENANT)
    assert says(shop, {"podIP": None, "podIPs": None}, *who) == ""
