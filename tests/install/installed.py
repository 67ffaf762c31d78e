"""Netreeve as it is installed: Service, Secrets, configurations that are filled, and pods.

Everything goes the way that it goes in a cluster: the API server calls the servers by their
Service, Secrets and ConfigMaps arrive by mounts, and each process has its own account.
"""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from certs.plan import fingerprints
from tests.apiserver.gated import webhook_rules
from tests.controller.api import Api, Json
from tests.controller.protected import RIGHTS
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.install.pods import APISERVER_FLAGS, Pod, Pods

NAMESPACE = "netreeve"
NAME = "00-netreeve"
OBJECTS = Path(__file__).with_name("installed.yaml")
KINDS = {"validating": "Validating", "mutating": "Mutating"}
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/{}webhookconfigurations"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
SOON = 30.0
OVERLAP = 2
"""Seconds instead of 60: the one API server hears of changes at once."""
TLS, WEBHOOKS = "/etc/netreeve/tls", "/etc/netreeve/webhooks"
SERVE: Json = {
    "spec": {
        "serviceAccountName": "netreeve-serve",
        "containers": [
            {
                "args": ["serve", "--cert-dir", TLS, "--drain", "1", "--linger", "0"],
                "volumeMounts": [{"name": "tls", "mountPath": TLS}],
            }
        ],
        "volumes": [{"name": "tls", "secret": {"secretName": "netreeve-tls", "optional": True}}],
    }
}
CONTROL: Json = {
    "spec": {
        "serviceAccountName": "netreeve-control",
        "containers": [
            {
                "args": ["control", "--webhooks", WEBHOOKS, "--cert-overlap", str(OVERLAP)],
                "volumeMounts": [{"name": "webhooks", "mountPath": WEBHOOKS}],
            }
        ],
        "volumes": [{"name": "webhooks", "configMap": {"name": "netreeve-webhooks"}}],
    }
}
VIOLATION = {"spec": {"type": "NodePort", "ports": [{"port": 80}]}}


def webhooks(kind: str, *, fail: str = "Fail") -> Json:
    """A configuration as a chart renders it: complete, and without a CA bundle."""
    path = "/validate" if kind == "validating" else "/mutate"
    service = {"name": "netreeve-serve", "namespace": NAMESPACE, "path": path, "port": 443}
    elsewhere = {
        "key": "kubernetes.io/metadata.name", "operator": "NotIn",
        "values": ["kube-system", "kube-node-lease", NAMESPACE],
    }  # fmt: skip
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{KINDS[kind]}WebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [
            {
                "name": "gate.netreeve.io",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": fail,
                "timeoutSeconds": 5,
                "namespaceSelector": {"matchExpressions": [elsewhere]},
                "clientConfig": {"service": service},
                "rules": webhook_rules(mutating=kind == "mutating"),
            }
        ],
    }


class Installed:
    """What the tests talk to, as an administrator."""

    def __init__(self, plane: ControlPlane, pods: Pods, api: Api) -> None:
        self.plane, self.pods, self.api = plane, pods, api
        self.kubectl = plane.kubectl

    def serve(self, count: int) -> list[Pod]:
        """Servers, not ready before there are certificates."""
        return [self.pods.start(SERVE) for _ in range(count)]

    def control(self, *more: str) -> Pod:
        """A controller; ready when it knows the cluster."""
        pod = self.pods.start(CONTROL, *more)
        self.pods.await_ready(pod)
        return pod

    def want(self, **fail: str) -> None:
        """Write the ConfigMap of the wanted configurations, as an upgrade of the chart does."""
        data = {
            f"{kind}.yaml": yaml.safe_dump(webhooks(kind, fail=fail.get(kind, "Fail")))
            for kind in KINDS
        }
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
                    "metadata": {"name": "netreeve-webhooks", "namespace": NAMESPACE}})  # fmt: skip

    def apply(self, *objects: Json) -> None:
        manifest = "\n---\n".join(json.dumps(one) for one in objects)
        self.kubectl("apply", "-f", "-", stdin=manifest)

    def configuration(self, kind: str) -> Json | None:
        """``validating`` or ``mutating``; None when it does not exist."""
        return self._get(f"{CONFIGURATIONS.format(kind)}/{NAME}")

    def webhooks(self, kind: str) -> list[Json]:
        """Those that are live."""
        found = self.configuration(kind)
        return (found or {}).get("webhooks") or []

    def bundles(self) -> list[frozenset[str]]:
        """The authorities (fingerprints) in each live webhook."""
        live = (one for kind in KINDS for one in self.webhooks(kind))
        return [
            frozenset(fingerprints(base64.b64decode(one["clientConfig"].get("caBundle", ""))))
            for one in live
        ]

    def secret(self, name: str) -> dict[str, bytes]:
        """Its content; {} when it does not exist."""
        found = self._get(f"{SECRETS}/{name}") or {}
        data: dict[str, Any] = found.get("data") or {}
        return {key: base64.b64decode(value) for key, value in data.items()}

    def await_active(self) -> None:
        """Until a violation is denied, and what mutates does."""
        wait_for(self.is_active, SOON, "the webhook configurations to work")

    def is_active(self) -> bool:
        denied = "node-port" in self.create("services", VIOLATION).stderr
        return denied and bool(self.webhooks("mutating"))

    def create(
        self, resource: str, body: Json, *, namespace: str = "default"
    ) -> subprocess.CompletedProcess[str]:
        """A dry run."""
        kind = {"services": "Service"}[resource]
        manifest = {"apiVersion": "v1", "kind": kind,
                    "metadata": {"name": "marker", "namespace": namespace}, **body}  # fmt: skip
        return self.kubectl("create", "-f", "-", "--dry-run=server", stdin=json.dumps(manifest),
                            check=False)  # fmt: skip

    def _get(self, path: str) -> Json | None:
        try:
            return self.api.get(path)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return None


@contextmanager
def installed_cluster(folder: Path) -> Iterator[Installed]:
    """Everything but the pods: the shells of the configurations are empty."""
    with ExitStack() as stack:
        plane = stack.enter_context(
            ControlPlane(folder=folder / "control-plane", apiserver_flags=APISERVER_FLAGS)
        )
        for file in (RIGHTS, OBJECTS):
            plane.kubectl("apply", "-f", "-", stdin=file.read_text())
        (folder / "pods").mkdir()
        pods = stack.enter_context(Pods(plane, NAMESPACE, folder / "pods"))
        api = stack.enter_context(closing(Api(plane, plane.kubeconfig)))
        found = Installed(plane, pods, api)
        found.want()
        yield found
