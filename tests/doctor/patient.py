"""A cluster with Netreeve as deploy/ installs it, whose parts can be broken one at a time.

The processes run where pods would; the Deployments are there as objects only.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.install.pods import APISERVER_FLAGS, Pods
from webhook.cli.wiring.doctor import examined
from webhook.doctor.finding import Severity
from webhook.doctor.reading import Asked
from webhook.doctor.report import Report

Json = dict[str, Any]
DEPLOY = Path(__file__).parents[2] / "deploy"
NAMESPACE = "netreeve"
NAME = "00-netreeve"
SERVERS = 3
VERSION = "0.1.0"
"""Of the images in deploy/install.yaml, and so of the command."""
SOON = 60.0
SURROUNDINGS = """
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  selector: {k8s-app: kube-dns}
  ports:
    - {name: dns, port: 53, protocol: UDP, targetPort: 53}
    - {name: dns-tcp, port: 53, protocol: TCP, targetPort: 53}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: calico-node}}
  template:
    metadata: {labels: {k8s-app: calico-node}}
    spec: {containers: [{name: calico-node, image: "calico/node:v3"}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
"""


class Patient:
    """An installation in the stage `enforce`; `plane` is its cluster, as an administrator."""

    def __init__(self, plane: ControlPlane, pods: Pods) -> None:
        self.plane, self.pods = plane, pods
        self.kubectl = plane.kubectl
        self.controller = pods.start(_template("netreeve-control"), "--cert-overlap", "2")
        serve = _template("netreeve-serve")
        self.servers = [pods.start(serve, "--drain", "0") for _ in range(SERVERS)]

    def examine(self, *, kubeconfig: Path | None = None, everyone: bool = False) -> Report:
        config = str(kubeconfig or self.plane.kubeconfig)
        return asyncio.run(examined(config, "", Asked(NAMESPACE, everyone, VERSION)))

    def apply(self, *objects: Json) -> None:
        manifest = "\n---\n".join(json.dumps(one) for one in objects)
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)

    def get(self, *what: str) -> Json:
        found: Json = json.loads(self.kubectl("get", *what, "-o", "json").stdout)
        return found

    def patch(self, what: str, patch: Json | list[Json], namespace: str = "") -> None:
        kind = "json" if isinstance(patch, list) else "merge"
        place = ("-n", namespace) if namespace else ()
        self.kubectl("patch", what, *place, f"--type={kind}", "-p", json.dumps(patch))

    @contextmanager
    def webhooks(self, kind: str, **fields: Any) -> Iterator[None]:
        """Other fields in our webhooks of a kind, while the controller cannot repair them.

        A function makes a field of what it was.
        """
        present = self.get(f"{kind}webhookconfiguration/{NAME}")["webhooks"]
        changed = [
            {**one, **{key: _value(value, one.get(key)) for key, value in fields.items()}}
            for one in present
        ]
        with self._replaced(kind, changed):
            yield

    @contextmanager
    def emptied(self, kind: str) -> Iterator[None]:
        """A configuration of ours as it is right after the installation."""
        with self._replaced(kind, []):
            yield

    @contextmanager
    def _replaced(self, kind: str, webhooks: list[Json]) -> Iterator[None]:
        what = f"{kind}webhookconfiguration/{NAME}"
        change = {"op": "replace", "path": "/webhooks"}
        with self.frozen():
            present = self.get(what)["webhooks"]
            self.patch(what, [{**change, "value": webhooks}])
            try:
                yield
            finally:
                self.patch(what, [{**change, "op": "add", "value": present}])

    @contextmanager
    def stale(self, *changes: Json) -> Iterator[None]:
        """The Lease of a controller that does not renew it."""
        with self.frozen():
            self.patch("lease/netreeve-control", list(changes), NAMESPACE)
            yield
        wait_for(lambda: "leader" not in self._sick(), SOON, "the controller to lead again")

    def _sick(self) -> set[str]:
        """The checks that find something wrong."""
        return {check.id for check, one in self.examine().findings
                if one.kind.severity.rank <= Severity.WARNING.rank}  # fmt: skip

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The controller gets no time."""
        self.controller.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.controller.signal(signal.SIGCONT)

    @contextmanager
    def there(self, *objects: Json) -> Iterator[None]:
        """Objects that are gone afterwards."""
        self.apply(*objects)
        try:
            yield
        finally:
            manifest = "\n---\n".join(json.dumps(one) for one in objects)
            self.kubectl("delete", "-f", "-", stdin=manifest)

    @contextmanager
    def gone(self, *what: str) -> Iterator[None]:
        """An object that is back afterwards, as it was."""
        before = self.get(*what)
        for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
            before["metadata"].pop(field, None)
        self.kubectl("delete", *what)
        try:
            yield
        finally:
            self.kubectl("create", "-f", "-", stdin=json.dumps(before))

    @contextmanager
    def changed(self, what: str, patch: Json | list[Json], namespace: str = "") -> Iterator[None]:
        """An object that is as it was afterwards."""
        place = ("-n", namespace) if namespace else ()
        before = self.get(what, *place)
        with self.frozen():
            self.patch(what, patch, namespace)
            try:
                yield
            finally:
                before["metadata"].pop("resourceVersion")
                self.kubectl("replace", "-f", "-", stdin=json.dumps(before))


def _value(value: Any, before: Any) -> Any:
    return value(before) if callable(value) else value


def wrong(report: Report) -> dict[str, str]:
    """Ids of errors and warnings, with a message each."""
    return {
        one.kind.id: f"{one.object}: {one.message}"
        for _, one in report.findings
        if one.kind.severity.rank <= Severity.WARNING.rank
    }


def noted(report: Report) -> dict[str, str]:
    """Ids of everything that was found, with all that is said of it."""
    found: dict[str, str] = {}
    for _, one in report.findings:
        said = "\n".join((f"{one.object}: {one.message}", *one.details))
        found[one.kind.id] = "\n".join(filter(None, (found.get(one.kind.id), said)))
    return found


@contextmanager
def patient(folder: Path) -> Iterator[Patient]:
    """Installed, enforcing, and well."""
    with ExitStack() as stack:
        plane = stack.enter_context(
            ControlPlane(folder=folder / "control-plane", apiserver_flags=APISERVER_FLAGS)
        )
        plane.kubectl("apply", "-f", "-", stdin=SURROUNDINGS)
        status = {"status": {"desiredNumberScheduled": 1, "currentNumberScheduled": 1}}
        plane.kubectl(
            "patch", "daemonset", "calico-node", "-n", "kube-system", "--type=merge",
            "--subresource=status", "-p", json.dumps(status),
        )  # fmt: skip
        for file in (DEPLOY / "install.yaml", DEPLOY / "stages" / "enforce" / "stage.yaml"):
            plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", file)
        (folder / "pods").mkdir()
        one = Patient(plane, stack.enter_context(Pods(plane, NAMESPACE, folder / "pods")))
        one.pods.await_ready(*one.servers, one.controller)
        wait_for(lambda: not wrong(one.examine()), SOON, "an installation that is well")
        yield one


def _template(name: str) -> Json:
    """Of the Deployment, its arguments in the form that has the paths by themselves."""
    objects = yaml.load_all((DEPLOY / "install.yaml").read_text(), yaml.CSafeLoader)
    (found,) = (
        one for one in objects if (one["kind"], one["metadata"]["name"]) == ("Deployment", name)
    )
    template: Json = found["spec"]["template"]
    container = template["spec"]["containers"][0]
    container["args"] = [part for one in container["args"] for part in one.split("=", 1)]
    return template
