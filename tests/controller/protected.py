"""A gated control plane with the controller, and what its tests do to namespaces.

Owns the control plane; the processes of controllers belong to the tests.
"""

import json
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.apiserver.gated import CONFIG, Gated, gated_cluster
from tests.controller.api import Api, Json
from tests.controller.control import USER, Control
from tests.controlplane.wait import wait_for

NAMESPACES = "/api/v1/namespaces"
PODS = "/api/v1/namespaces/{}/pods"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"
FULL = os.environ.get("NETREEVE_SCALE") == "full"
RIGHTS = Path(__file__).with_name("rights.yaml")
LABEL = "netreeve.io/baseline"
STATUS = "netreeve.io/baseline-status"
GENERATED = {"allow-dns", "allow-istio-sidecar", "default-deny"}
SOON = 30.0
CLIENTS = 16


def scaled(small: int, full: int) -> int:
    """How many of something, by the scale that the environment asks for."""
    return full if FULL else small


def fresh(count: int, prefix: str) -> list[str]:
    """Names that no other test has."""
    run = uuid.uuid4().hex[:6]
    return [f"{prefix}-{run}-{number}" for number in range(count)]


class Protected:
    """What the tests talk to; with the administrator's rights, so that only admission says no."""

    def __init__(self, gated: Gated, folder: Path, stack: ExitStack) -> None:
        self.gated = gated
        self.plane = gated.control_plane
        self.kubectl = gated.kubectl
        self.api = stack.enter_context(closing(Api(self.plane, self.plane.kubeconfig)))
        self._folder, self._stack = folder, stack
        self.config = folder / "control.yaml"
        self.config.write_text(json.dumps(CONFIG))

    def controller(self, kubeconfig: Path | None = None) -> Control:
        """A controller that is not started, as the user that its rights are given to."""
        known = kubeconfig or self.plane.kubeconfig_for(USER)
        return Control(self._folder, known, self._stack, config=self.config)

    def policies(self, namespace: str) -> dict[str, Json]:
        """All NetworkPolicies of a namespace, by name."""
        found = self.api.get(POLICIES.format(namespace))["items"]
        return {one["metadata"]["name"]: one for one in found}

    def status(self, namespace: str) -> Json:
        """What the annotation says; {} without one."""
        return status(self.api.get(f"{NAMESPACES}/{namespace}"))

    def states(self) -> dict[str, str]:
        """The state in the status of every namespace that has one."""
        every = self.api.get(NAMESPACES)["items"]
        return {one["metadata"]["name"]: said["state"] for one in every if (said := status(one))}

    def await_covered(self, namespaces: list[str], seconds: float = SOON) -> None:
        """Until the status of all of them says so."""

        def uncovered() -> list[str]:
            states = self.states()
            return [name for name in namespaces if states.get(name) != "covered"]

        wait_for(lambda: not uncovered(), seconds, f"the coverage of {len(namespaces)} namespaces")

    def create_all(self, namespaces: list[str]) -> None:
        """Side by side: namespaces with a Deployment and a bare pod each."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(self.populate, namespaces))

    def populate(self, namespace: str) -> None:
        """A namespace with a Deployment and a bare pod, tried until the API server takes them."""
        self.api.insist(NAMESPACES, {"metadata": {"name": namespace}})
        self.api.insist(f"/apis/apps/v1/namespaces/{namespace}/deployments", DEPLOYMENT)
        self.api.insist(PODS.format(namespace), pod("bare"))

    def pods(self, namespaces: list[str]) -> dict[str, bool]:
        """Whether it is bound, by ``namespace/name``."""
        every = self.api.get("/api/v1/pods")["items"]
        return {
            f"{one['metadata']['namespace']}/{one['metadata']['name']}": "nodeName" in one["spec"]
            for one in every
            if one["metadata"]["namespace"] in namespaces
        }

    def await_bound(self, namespaces: list[str], seconds: float) -> None:
        """Until both pods of every namespace are bound to a node."""

        def bound() -> bool:
            pods = self.pods(namespaces)
            return len(pods) >= 2 * len(namespaces) and all(pods.values())

        wait_for(bound, seconds, f"the pods of {len(namespaces)} namespaces")

    def forget(self, namespaces: list[str]) -> None:
        """Delete them, and do not wait."""
        for name in namespaces:
            self.api.delete(f"{NAMESPACES}/{name}")
            # Without a kubelet nobody else confirms that a bound pod has ended.
            self.api.delete(PODS.format(name), gracePeriodSeconds=0)


def status(namespace: Json) -> Json:
    """What its annotation says; {} without one."""
    found: Json = json.loads(namespace["metadata"].get("annotations", {}).get(STATUS, "{}"))
    return found


def pod(name: str, **spec: Any) -> Json:
    return {"metadata": {"name": name, "labels": {"app": name}}, "spec": {**POD, **spec}}


POD = {"containers": [{"name": "main", "image": "registry.example/app:1"}]}
DEPLOYMENT = {
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": POD},
    },
}


@contextmanager
def configured(protected: Protected, baseline: dict[str, Any]) -> Iterator[None]:
    """Within the block, running controllers have this section of the configuration."""
    before = protected.config.read_text()
    protected.config.write_text(json.dumps({**CONFIG, "baseline": baseline}))
    try:
        yield
    finally:
        protected.config.write_text(before)


@contextmanager
def webhook_down(protected: Protected) -> Iterator[None]:
    """Its configuration is deleted, as somebody would who has to; then it is registered again."""
    for kind in ("validating", "mutating"):
        protected.kubectl("delete", f"{kind}webhookconfiguration", "00-netreeve")
    name = fresh(1, "probe")[0]
    probe = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    wait_for(
        lambda: (
            LABEL
            not in protected.kubectl(
                "create", "--dry-run=server", "-f", "-", "-o", "json", stdin=json.dumps(probe)
            ).stdout
        ),
        10,
        "the API server to forget the webhooks",
    )
    try:
        yield
    finally:
        protected.gated.register()


class Order:
    """When what was done, by the one clock of the API server's audit log."""

    def __init__(self, protected: Protected, start: int) -> None:
        self._protected = protected
        self.written: dict[tuple[str, str], datetime] = {}
        self.bound: dict[tuple[str, str], datetime] = {}
        for event in protected.plane.audit_events(start):
            about = event.get("objectRef", {})
            if event["verb"] != "create" or event.get("responseStatus", {}).get("code") != 201:
                continue
            key = (about.get("namespace", ""), about.get("name", ""))
            if about["resource"] == "networkpolicies":
                name = event["responseObject"]["metadata"]["name"]
                at = datetime.fromisoformat(event["stageTimestamp"])
                self.written.setdefault((key[0], name), at)
            elif about["resource"] == "pods" and about.get("subresource") == "binding":
                self.bound[key] = datetime.fromisoformat(event["requestReceivedTimestamp"])

    def check(self, namespaces: list[str]) -> None:
        """Nothing was bound before the policies of its namespace had been written."""
        for (namespace, name), at in self.bound.items():
            if namespace in namespaces:
                for policy in GENERATED:
                    assert self._since(namespace, policy) < at, (namespace, name, policy)
        bound = [namespace for namespace, _ in self.bound if namespace in set(namespaces)]
        assert len(bound) >= 2 * len(namespaces)

    def _since(self, namespace: str, policy: str) -> datetime:
        """An API server that ends does not record all that it has written; then by the second."""
        if (namespace, policy) not in self.written:
            found = self._protected.policies(namespace)[policy]["metadata"]["creationTimestamp"]
            self.written[namespace, policy] = datetime.fromisoformat(found)
        return self.written[namespace, policy]


@contextmanager
def protected_cluster(folder: Path) -> Iterator[Protected]:
    """A registered gate, controllers, scheduler and one node; no controller of ours yet."""
    with gated_cluster(folder) as gated, ExitStack() as stack:
        plane = gated.control_plane
        plane.kubectl("apply", "-f", "-", stdin=RIGHTS.read_text())
        gated.register()
        plane.start_controller_manager()
        plane.start_scheduler()
        plane.add_node("node-1")
        yield Protected(gated, folder, stack)
