"""A real API server whose writes go through a real `netreeve serve` process.

Owns the server process, its certificate and the webhook configurations; the rules in these come
from the catalogue, so a policy that forgets a subresource is not reached here either.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from policies import catalogue
from tests.controlplane.certs import Authority
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.process import Process, Spawner, free_port
from tests.controlplane.wait import wait_for
from webhook.config.registration import registered

NAME = "gate.netreeve.io"
SERVICE = "netreeve-serve.netreeve.svc"
"""The name by which the server proves itself."""
GRACE = 20.0
"""Seconds: longer than the server drains."""
CONFIG = {
    "apiVersion": "netreeve.io/v1alpha1",
    "kind": "GateConfig",
    "profile": "standard",
    "mesh": {"kind": "istio-sidecar"},
    "overrides": [
        {
            "namespaceSelector": {"matchLabels": {"env": "sandbox"}},
            "policies": {"node-port": {"action": "Warn"}},
        },
        {
            "namespaceSelector": {"matchLabels": {"env": "strict"}},
            "policies": {"net-capabilities": {"action": "Deny"}},
        },
    ],
}
EVERYTHING = [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"]}]
NODE_PORT = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "marker"},
    "spec": {"type": "NodePort", "ports": [{"port": 80}]},
}


def webhook_rules(*, mutating: bool) -> list[dict[str, Any]]:
    """One entry for every rule that the mutating or the validating pass answers."""
    rules = registered(catalogue())
    return [
        {
            "apiGroups": [rule.group],
            "apiVersions": ["*"],
            "resources": [rule.resource],
            "operations": sorted(rule.operations),
        }
        for rule in (rules.mutating if mutating else rules.validating)
    ]


class Gate:
    """A `netreeve serve` process for one control plane."""

    def __init__(self, folder: Path, control_plane: ControlPlane, stack: ExitStack) -> None:
        folder.mkdir(parents=True)
        self._authority = Authority(folder / "ca")
        pair = self._authority.server("netreeve", ["127.0.0.1", SERVICE])
        certs = folder / "certs"
        certs.mkdir()
        (certs / "tls.crt").write_bytes(pair.cert.read_bytes())
        (certs / "tls.key").write_bytes(pair.key.read_bytes())
        (certs / "ca.crt").write_bytes(self._authority.pair.cert.read_bytes())
        (folder / "config.yaml").write_text(json.dumps(CONFIG))
        self.stamp_keys = folder / "stamp"
        self.stamp_keys.mkdir()
        (self.stamp_keys / "current").write_bytes(os.urandom(32))
        self.port, self.health = free_port(), free_port()
        self.log = folder / "netreeve.log"
        self._process = Process(
            "netreeve",
            (
                sys.executable, "-m", "webhook", "serve",
                "--listen", f"127.0.0.1:{self.port}",
                "--health-listen", f"127.0.0.1:{self.health}",
                "--cert-dir", str(certs),
                "--config", str(folder / "config.yaml"),
                "--kubeconfig", str(control_plane.kubeconfig),
                "--stamp-keys", str(self.stamp_keys),
                "--drain", "0", "--linger", "0",
            ),
            self.log,
        )  # fmt: skip
        self._spawner = Spawner()
        stack.callback(self._spawner.close)
        stack.callback(self.stop)

    def start(self) -> None:
        self._process.start(self._spawner)
        wait_for(self._ready, 30, "netreeve to be ready")

    def stop(self) -> None:
        self._process.stop(GRACE)

    def _ready(self) -> bool:
        self._process.check()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/readyz", timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def configuration(
        self, kind: str, path: str, rules: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """A webhook configuration that sends every namespace's requests to this server."""
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": "00-netreeve"},
            "webhooks": [
                {
                    "name": NAME,
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                    "failurePolicy": "Fail",
                    "timeoutSeconds": 5,
                    "matchPolicy": "Equivalent",
                    "clientConfig": {
                        "url": f"https://127.0.0.1:{self.port}{path}",
                        "caBundle": base64.b64encode(
                            self._authority.pair.cert.read_bytes()
                        ).decode(),
                    },
                    "rules": list(rules),
                }
            ],
        }


class Gated:
    """An API server with the gate in front: what the tests talk to."""

    def __init__(self, control_plane: ControlPlane, gate: Gate) -> None:
        self.control_plane = control_plane
        self.gate = gate
        self.kubectl = control_plane.kubectl

    def register(self, *, everything: bool = False) -> None:
        """Create both webhook configurations and wait until they work."""
        for kind, path, mutating in (
            ("Mutating", "/mutate", True),
            ("Validating", "/validate", False),
        ):
            rules = EVERYTHING if everything else webhook_rules(mutating=mutating)
            configuration = self.gate.configuration(kind, path, rules)
            self.kubectl("apply", "-f", "-", stdin=json.dumps(configuration))
        wait_for(self._active, 30, "the API server to call the webhooks")

    def _active(self) -> bool:
        probe = self.create({**NODE_PORT, "metadata": {"name": "marker", "namespace": "default"}},
                            "--dry-run=server")  # fmt: skip
        labelled = self.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "marker"}},
            "--dry-run=server", "-o", "jsonpath={.metadata.labels.istio-injection}",
        )  # fmt: skip
        return "node-port" in probe.stderr and labelled.stdout == "enabled"

    def create(self, *objects: Any) -> subprocess.CompletedProcess[str]:
        """`kubectl create` of a manifest (dicts) with arguments (strings); never raises."""
        return self._send("create", objects)

    def apply(self, *objects: Any) -> subprocess.CompletedProcess[str]:
        """`kubectl apply --server-side` in the same way."""
        return self._send("apply", ("--server-side", *objects))

    def _send(self, verb: str, parts: Iterable[Any]) -> subprocess.CompletedProcess[str]:
        parts = list(parts)
        manifest = "\n---\n".join(json.dumps(part) for part in parts if isinstance(part, dict))
        arguments = [part for part in parts if isinstance(part, str)]
        return self.kubectl(verb, "-f", "-", *arguments, stdin=manifest, check=False)

    def add_node_of(self, provider: str) -> None:
        """A Node of a cloud, so that its load balancer annotations count and no other's."""
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": f"node-of-{provider}"},
            "spec": {"providerID": f"{provider}:///a-node", "unschedulable": True},
        }
        self.create(node).check_returncode()

    def get(self, *arguments: str) -> Any:
        """An object, or a list, as the API server has it."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)

    def bound(self, namespace: str) -> list[Any]:
        """The pods that are on a node."""
        pods = self.get("pods", "-n", namespace)["items"]
        return [one for one in pods if one["spec"].get("nodeName")]


@contextmanager
def gated_cluster(folder: Path) -> Iterator[Gated]:
    """A control plane with a running gate that is not registered yet."""
    with ExitStack() as stack:
        control_plane = stack.enter_context(
            ControlPlane(folder=folder / "control-plane", service_account_admission=True)
        )
        gate = Gate(folder / "gate", control_plane, stack)
        gate.start()
        gated = Gated(control_plane, gate)
        yield gated
