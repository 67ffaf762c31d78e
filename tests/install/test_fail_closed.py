"""With no server left, an enforcing gate refuses what it would judge, and nothing else.

And what a power cut leaves heals by itself, in whatever order things start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.controller.api import Json
from tests.controlplane.wait import wait_for
from tests.install.deployed import SHOP, SOON, Deployed
from tests.install.flow import CLUSTER_IP, NODE_PORT

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
REFUSED = "failed calling webhook"
POD: Json = {"containers": [{"name": "main", "image": "main"}], "hostNetwork": True}
MANAGER = ("--as=system:serviceaccount:kube-system:endpointslice-controller",
           "--as-group=system:masters")  # fmt: skip
NAMESPACES = ("--as=system:serviceaccount:kube-system:namespace-controller",
              "--as-group=system:masters")  # fmt: skip
NODE = ("--as=system:node:marker", "--as-group=system:nodes", "--as-group=system:masters")
TERMINATING: Json = {
    "apiVersion": "v1", "kind": "Service", "spec": CLUSTER_IP,
    "metadata": {"name": "held", "namespace": SHOP, "finalizers": ["example.org/held"]},
}  # fmt: skip
ENDING: Json = {
    "apiVersion": "v1", "kind": "Namespace",
    "metadata": {"name": "ending", "finalizers": ["example.org/held"]},
}  # fmt: skip


def manifest(kind: str, namespace: str = "", version: str = "v1", **body: Any) -> Json:
    metadata = {"name": "marker", **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


SLICE: Json = {
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.244.0.9"]}],
    "ports": [{"port": 80}],
}
POLICY: Json = {"spec": {"podSelector": {}}}
RESCUE: dict[str, tuple[Json, tuple[str, ...]]] = {
    "a node": (manifest("Node"), NODE),
    "a heartbeat": (manifest("Lease", "kube-node-lease", "coordination.k8s.io/v1"), ()),
    "an elected leader": (manifest("Lease", SHOP, "coordination.k8s.io/v1"), ()),
    "a pod of the system": (manifest("Pod", "kube-system", spec=POD), ()),
    "a pod of the gate": (
        manifest(
            "Pod",
            "netreeve",
            spec={
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 1,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": "main",
                        "image": "main",
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        ),
        (),
    ),
    "a Service of the system": (manifest("Service", "kube-system", spec=NODE_PORT), ()),
    "endpoints of a Service": (
        manifest("EndpointSlice", SHOP, "discovery.k8s.io/v1", **SLICE),
        MANAGER,
    ),
    "a Secret": (manifest("Secret", SHOP), ()),
    "a role": (manifest("ClusterRole", version="rbac.authorization.k8s.io/v1"), ()),
}
JUDGED: dict[str, tuple[Json, tuple[str, ...]]] = {
    "a Service": (manifest("Service", SHOP, spec=CLUSTER_IP), ()),
    "a pod": (manifest("Pod", SHOP, spec=POD), ()),
    "a namespace": (manifest("Namespace"), ()),
    "endpoints that a user writes": (
        manifest("EndpointSlice", SHOP, "discovery.k8s.io/v1", **SLICE),
        (),
    ),
    "a NetworkPolicy": (manifest("NetworkPolicy", SHOP, "networking.k8s.io/v1", **POLICY), ()),
}


@pytest.fixture(scope="class")
def closed(chart_cluster: Deployed) -> Iterator[Deployed]:
    """Objects that exist already, then no server; afterwards there are servers again."""
    deployed = chart_cluster
    deployed.start()
    deployed.kubectl("create", "-f", "-", stdin=json.dumps(TERMINATING))
    deployed.kubectl("delete", "service", "held", "-n", SHOP, "--wait=false")
    policy = manifest("NetworkPolicy", SHOP, "networking.k8s.io/v1", **POLICY)
    deployed.kubectl("create", "-f", "-", stdin=json.dumps(policy))
    deployed.kubectl("create", "-f", "-", stdin=json.dumps(ENDING))
    deployed.kubectl("delete", "namespace", "ending", "--wait=false")
    for pod in deployed.servers:
        pod.kill()
    deployed.servers.clear()
    wait_for(
        lambda: REFUSED in deployed.create_service(CLUSTER_IP).stderr, SOON, "nobody to answer"
    )
    yield deployed
    deployed.start()


class TestNobodyAnswers:
    @pytest.mark.parametrize("what", RESCUE)
    def test_what_rescues_a_cluster_passes(self, closed: Deployed, what: str) -> None:
        body, who = RESCUE[what]
        create = ("create", "--dry-run=server", "-f", "-", *who)
        done = closed.kubectl(*create, stdin=json.dumps(body), check=False)
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize("what", JUDGED)
    def test_what_is_judged_is_refused(self, closed: Deployed, what: str) -> None:
        body, who = JUDGED[what]
        create = ("create", "--dry-run=server", "-f", "-", *who)
        done = closed.kubectl(*create, stdin=json.dumps(body), check=False)
        assert REFUSED in done.stderr

    def test_what_waits_for_a_finalizer_can_go_and_change_nothing_else(
        self, closed: Deployed
    ) -> None:
        def patch(body: Json, *more: str) -> str:
            change = (
                "patch",
                "service",
                "held",
                "-n",
                SHOP,
                "--type=merge",
                "-p",
                json.dumps(body),
            )
            return closed.kubectl(*change, *more, check=False).stderr

        for body in (
            {"spec": {"type": "NodePort"}},
            {"metadata": {"annotations": {"a": "b"}}},
            {"metadata": {"labels": {"a": "b"}}},
            {"spec": {"externalIPs": ["203.0.113.9"]}, "metadata": {"finalizers": None}},
        ):
            assert REFUSED in patch(body), body
        condition = {"type": "example.org/Up", "status": "True", "reason": "Up", "message": "",
                     "lastTransitionTime": "2026-01-01T00:00:00Z"}  # fmt: skip
        assert REFUSED in patch({"status": {"conditions": [condition]}}, "--subresource=status")
        assert patch({"metadata": {"finalizers": None}}) == ""
        gone = closed.kubectl("get", "service", "held", "-n", SHOP, "--ignore-not-found")
        assert gone.stdout == ""

    def test_so_can_a_namespace(self, closed: Deployed) -> None:
        def patch(metadata: Json) -> str:
            body = json.dumps({"metadata": metadata})
            change = ("patch", "namespace", "ending", "--type=merge", "-p", body)
            return closed.kubectl(*change, check=False).stderr

        assert REFUSED in patch({"finalizers": None, "labels": {"netreeve.io/baseline": None}})
        assert patch({"finalizers": None}) == ""
        found = closed.kubectl("get", "namespace", "ending", "-o", "json", check=False).stdout
        assert not found or "finalizers" not in json.loads(found)["metadata"]

    def test_policies_of_users_can_be_deleted(self, closed: Deployed) -> None:
        closed.kubectl("delete", "networkpolicy", "marker", "-n", SHOP)

    def test_a_baseline_can_be_deleted_with_its_namespace_only(self, closed: Deployed) -> None:
        labels = {
            "app.kubernetes.io/managed-by": "netreeve",
            "netreeve.io/baseline": "default-deny",
        }
        policy = manifest("NetworkPolicy", SHOP, "networking.k8s.io/v1", **POLICY)
        policy["metadata"] |= {"name": "default-deny", "labels": labels}
        controller = ("--as=system:serviceaccount:netreeve:netreeve-control",)
        closed.kubectl("create", "-f", "-", *controller, stdin=json.dumps(policy))
        delete = ("delete", "networkpolicy", "default-deny", "-n", SHOP)
        assert REFUSED in closed.kubectl(*delete, check=False).stderr
        closed.kubectl(*delete, *NAMESPACES)

    def test_the_gate_can_be_taken_out(self, closed: Deployed) -> None:
        """The last resort of docs/install.md; here as a dry run."""
        both = "validatingwebhookconfiguration,mutatingwebhookconfiguration"
        closed.kubectl("delete", both, "00-netreeve", "--dry-run=server")


class TestHidingBehindNames:
    def test_a_namespace_cannot_name_itself_after_the_system(self, deployed: Deployed) -> None:
        """Until it has a name, its labels are what its creator wrote."""
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "generateName": "shop-",
                "labels": {"kubernetes.io/metadata.name": "kube-system"},
            },
        }
        create = ("create", "-f", "-", "-o", "json")
        found = json.loads(deployed.kubectl(*create, stdin=json.dumps(body)).stdout)
        assert found["metadata"]["labels"]["netreeve.io/baseline"] == "default-deny"

    def test_nor_can_an_object_in_it(self, deployed: Deployed) -> None:
        labelled = {"labels": {"kubernetes.io/metadata.name": "kube-system"}}
        body = manifest("Service", SHOP, spec=NODE_PORT)
        body["metadata"] |= labelled
        create = ("create", "--dry-run=server", "-f", "-")
        done = deployed.kubectl(*create, stdin=json.dumps(body), check=False)
        assert "denied the request" in done.stderr


ORDERS: dict[str, tuple[Callable[[Deployed], object], ...]] = {
    "controllers last": (Deployed.start_server, Deployed.start_server, Deployed.start_controller),
    "servers last": (Deployed.start_controller, Deployed.start_server, Deployed.start_server),
}


@pytest.mark.parametrize("order", ORDERS)
def test_after_a_power_cut_all_is_well_again(deployed: Deployed, order: str) -> None:
    deployed.plane.power_cut()
    for pod in deployed.pods.running:
        pod.kill()
    deployed.servers.clear()
    deployed.controllers.clear()

    deployed.plane.power_on()
    assert REFUSED in deployed.create_service(CLUSTER_IP).stderr, "it fails closed"
    for what in ("a node", "a heartbeat", "a pod of the system", "a pod of the gate"):
        body, who = RESCUE[what]
        create = ("create", "--dry-run=server", "-f", "-", *who)
        deployed.kubectl(*create, stdin=json.dumps(body))
    for start in ORDERS[order]:
        start(deployed)
    deployed.pods.await_ready(*deployed.servers, seconds=SOON)
    wait_for(lambda: deployed.create_service(CLUSTER_IP).returncode == 0, SOON, "it to be well")
    assert "denied the request" in deployed.create_service(NODE_PORT).stderr
