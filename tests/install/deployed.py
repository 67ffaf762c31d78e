"""Netreeve as the chart installs it, in front of a real API server, its pods as processes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.controller.api import Json
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.helm.build import CHART
from tests.helm.render import NAMESPACE, Object, only, parse
from tests.install.flow import NODE_PORT, Traffic
from tests.install.pods import APISERVER_FLAGS, Pod, Pods

DEPLOY = CHART.parent
FULL = os.environ.get("NETREEVE_SCALE") == "full"
PER_SECOND = 50.0 if FULL else 10.0
"""Violating requests, and as many harmless ones."""
SERVERS, CONTROLLERS = 3, 2
SOON = 180.0
"""Of a machine that is busy with other things; on an idle one all of this takes seconds."""
SHOP = "shop"
OVERLAP = ("--cert-overlap", "2")
"""Seconds instead of 60: the one API server hears of changes at once."""
SHORT_DRAIN = () if FULL else ("--drain", "3")
DNS = """
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  selector: {k8s-app: kube-dns}
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
"""


class Deployed:
    """What was installed, and the pods that a kubelet would run of it."""

    def __init__(self, plane: ControlPlane, pods: Pods, rendered: list[Object]) -> None:
        self.plane, self.pods = plane, pods
        self.kubectl = plane.kubectl
        self.rendered = rendered
        self.servers: list[Pod] = []
        self.controllers: list[Pod] = []

    def template(self, name: str) -> Json:
        """Of the pods of a Deployment."""
        template: Json = only(self.rendered, "Deployment", name)["spec"]["template"]
        return template

    def start_server(self) -> Pod:
        pod = self.pods.start(self.template("netreeve-serve"), *SHORT_DRAIN)
        self.servers.append(pod)
        return pod

    def start_controller(self) -> Pod:
        pod = self.pods.start(self.template("netreeve-control"), *OVERLAP)
        self.controllers.append(pod)
        return pod

    def start(self) -> None:
        """What the Deployments ask for and is not there; done when violations are denied."""
        while len(self.servers) < SERVERS:
            self.start_server()
        while len(self.controllers) < CONTROLLERS:
            self.start_controller()
        self.pods.await_ready(*self.servers, *self.controllers, seconds=SOON)
        self.await_active()

    def roll_servers(self) -> None:
        """One after the other, as a Deployment with maxSurge 1 and maxUnavailable 0 does."""
        for old in list(self.servers):
            self.pods.await_ready(self.start_server(), seconds=SOON)
            self.servers.remove(old)
            old.terminate()

    def end_old(self) -> None:
        """Those that leave, without waiting until nobody keeps a connection to them."""
        for pod in self.pods.running:
            if pod.leaving:
                pod.stop()

    def roll_controllers(self) -> None:
        for old in list(self.controllers):
            self.pods.await_ready(self.start_controller(), seconds=SOON)
            self.controllers.remove(old)
            old.terminate()

    def leader(self) -> Pod:
        """The controller that leads."""

        def leading() -> Pod | None:
            return next((pod for pod in self.controllers if leads(pod)), None)

        return _found(leading, "a controller to lead")

    def await_active(self) -> None:
        """Until a violation is denied, by what the controller has filled."""
        wait_for(
            lambda: "denied the request" in self.create_service(NODE_PORT).stderr,
            SOON,
            "the gate to deny",
        )

    def create_service(self, spec: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """A dry run; never raises."""
        body = {"apiVersion": "v1", "kind": "Service", "spec": spec,
                "metadata": {"name": "marker", "namespace": SHOP}}  # fmt: skip
        arguments = ("create", "--dry-run=server", "-f", "-")
        return self.kubectl(*arguments, stdin=json.dumps(body), check=False)

    def webhooks(self, kind: str) -> list[Json]:
        """The live ones of ``validating`` or ``mutating``."""
        name = f"{kind}webhookconfiguration"
        found = json.loads(self.kubectl("get", name, "00-netreeve", "-o", "json").stdout)
        return found.get("webhooks") or []

    def traffic(self, per_second: float = PER_SECOND) -> Traffic:
        return Traffic(self.plane, SHOP, per_second=per_second)


def leads(pod: Pod) -> bool:
    return pod.metrics().get("netreeve_controller_leading") == 1.0


def _found(look: Callable[[], Pod | None], what: str) -> Pod:
    pod = wait_for(look, SOON, what)
    assert pod is not None
    return pod


@contextmanager
def deployed_cluster(
    folder: Path, install: Callable[[ControlPlane], list[Object]]
) -> Iterator[Deployed]:
    """A control plane on which `install` has installed what it returns; no pod runs yet."""
    with ExitStack() as stack:
        plane = stack.enter_context(
            ControlPlane(folder=folder / "control-plane", apiserver_flags=APISERVER_FLAGS)
        )
        plane.kubectl("apply", "-f", "-", stdin=DNS)
        plane.kubectl("create", "namespace", SHOP)
        rendered = install(plane)
        (folder / "pods").mkdir()
        pods = stack.enter_context(Pods(plane, NAMESPACE, folder / "pods"))
        yield Deployed(plane, pods, rendered)


def by_kubectl(plane: ControlPlane) -> list[Object]:
    """As docs/install.md says, for who has no Helm; straight to the last stage."""
    files = (DEPLOY / "install.yaml", DEPLOY / "stages" / "enforce" / "stage.yaml")
    for file in files:
        plane.kubectl("apply", "--server-side", "-f", file)
    return parse(files[0].read_text())
