"""``netreeve baseline`` on a real cluster: what it shows, what it foresees, what it changes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.audit.baseline.read import Reader
from webhook.cli import main
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig

pytestmark = pytest.mark.cluster

LEASE = ("netreeve", "netreeve-control")
HEAD = "apiVersion: netreeve.io/v1alpha1\nkind: GateConfig\n"
Run = Callable[..., tuple[int, str, str]]

DNS = """
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  selector: {k8s-app: kube-dns}
  ports:
    - {name: dns, port: 53, protocol: UDP, targetPort: dns}
    - {name: dns-tcp, port: 53, protocol: TCP, targetPort: dns-tcp}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: kube-dns-seeded
  namespace: kube-system
  labels: {kubernetes.io/service-name: kube-dns}
addressType: IPv4
endpoints: [{addresses: [10.244.0.2]}]
ports: [{name: dns, port: 1053, protocol: UDP}, {name: dns-tcp, port: 1053, protocol: TCP}]
"""

SHOP = """
apiVersion: v1
kind: Namespace
metadata: {name: SHOP-edge}
---
apiVersion: v1
kind: Namespace
metadata: {name: SHOP-reports}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: SHOP-edge}
spec:
  replicas: 0
  selector: {matchLabels: {app: edge}}
  template:
    metadata: {labels: {app: edge}}
    spec: {containers: [{name: main, image: registry.example/edge:1}]}
---
apiVersion: v1
kind: Service
metadata: {name: controller, namespace: SHOP-edge}
spec: {type: LoadBalancer, selector: {app: edge}, ports: [{port: 443}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: SHOP-reports}
spec:
  schedule: "0 3 1 1 *"
  jobTemplate:
    spec:
      template:
        metadata: {labels: {app: nightly}}
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: registry.example/nightly:1
              env: [{name: API, value: "http://backend.SHOP.svc.cluster.local:8080/orders"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: frontend, namespace: SHOP}
spec:
  replicas: 1
  selector: {matchLabels: {app: frontend}}
  template:
    metadata: {labels: {app: frontend}}
    spec:
      containers:
        - name: main
          image: registry.example/frontend:1
          ports: [{name: http, containerPort: 8000}]
          env:
            - {name: BACKEND, value: "http://backend:8080"}
            - {name: GREETING, value: "welcome to our backend and db"}
            - {name: PAYMENTS, value: "https://api.example.com/v1"}
---
apiVersion: v1
kind: Service
metadata: {name: frontend, namespace: SHOP}
spec: {selector: {app: frontend}, ports: [{name: web, port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: SHOP}
spec:
  ingressClassName: edge
  rules:
    - http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: frontend, port: {name: web}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend, namespace: SHOP}
spec:
  replicas: 1
  selector: {matchLabels: {app: backend}}
  template:
    metadata:
      labels: {app: backend}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "9100"}
    spec:
      containers:
        - name: main
          image: registry.example/backend:1
          args: ["--db=postgres://shop:s3cret@db:5432/shop"]
          env: [{name: K8S, value: "https://kubernetes.default.svc"}]
---
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: SHOP}
spec: {selector: {app: backend}, ports: [{port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: SHOP, labels: {app: db}}
spec: {containers: [{name: main, image: registry.example/db:1}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: SHOP}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: idle, namespace: SHOP}
spec: {selector: {app: db}, ports: [{port: 9999}]}
"""
UNLABELLED_DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""


@pytest.fixture
def dns(control_plane: ControlPlane) -> Iterator[None]:
    """A CoreDNS-like Service with endpoints that tell its port."""
    control_plane.kubectl("apply", "-f", "-", stdin=DNS)
    yield
    control_plane.kubectl("delete", "-f", "-", stdin=DNS)


LEADING = """
apiVersion: v1
kind: Namespace
metadata: {name: netreeve}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: netreeve-control, namespace: netreeve}
spec: {holderIdentity: HOLDER, leaseDurationSeconds: 15, renewTime: "RENEWED"}
"""


def lead(control_plane: ControlPlane, holder: str = "one", ago: float = 0) -> None:
    """The Lease of a controller that was alive so many seconds ago."""
    renewed = (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    text = LEADING.replace("HOLDER", f'"{holder}"').replace("RENEWED", renewed)
    control_plane.kubectl("apply", "-f", "-", stdin=text)


@pytest.fixture(autouse=True)
def leading(control_plane: ControlPlane) -> Iterator[None]:
    """Somebody leads; the gates of other tests must not wait for him."""
    lead(control_plane)
    yield
    forget_lease(control_plane)


def forget_lease(control_plane: ControlPlane) -> None:
    control_plane.kubectl("delete", "lease", LEASE[1], "-n", LEASE[0], "--ignore-not-found")


@pytest.fixture
def shop(control_plane: ControlPlane, namespace: str, dns: None) -> Iterator[str]:
    """A shop with an ingress controller in front, and a report that reads from it."""
    control_plane.kubectl("apply", "-f", "-", stdin=SHOP.replace("SHOP", namespace))
    balancer = {"loadBalancer": {"ingress": [{"hostname": f"{namespace}.example.com"}]}}
    for kind, name, home in (
        ("service", "controller", f"{namespace}-edge"),
        ("ingress", "web", namespace),
    ):
        control_plane.kubectl(
            "patch", kind, name, "-n", home, "--subresource=status", "--type=merge",
            "-p", json.dumps({"status": balancer}),
        )  # fmt: skip
    yield namespace
    for suffix in ("edge", "reports"):
        control_plane.kubectl("delete", "namespace", f"{namespace}-{suffix}", "--wait=false")


@pytest.fixture
def run(control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command as an administrator, or as the user of another kubeconfig."""

    def asked(*args: str, kubeconfig: Path | None = None) -> tuple[int, str, str]:
        capsys.readouterr()
        file = str(kubeconfig or control_plane.kubeconfig)
        code = main(["baseline", *args, "--kubeconfig", file])
        return code, *capsys.readouterr()

    return asked


def labels(control_plane: ControlPlane, namespace: str) -> dict[str, str]:
    found = control_plane.kubectl("get", "namespace", namespace, "-o", "json").stdout
    result: dict[str, str] = json.loads(found)["metadata"]["labels"]
    return result


def as_json(answer: tuple[int, str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer[1])
    return found


def lost(report: dict[str, Any]) -> dict[tuple[str, str, int], dict[str, Any]]:
    return {(one["source"], one["target"], one["port"]): one for one in report["severed"]}


# --- show


@pytest.mark.usefixtures("dns")
def test_show_says_what_a_namespace_would_get_and_why(run: Run, namespace: str) -> None:
    code, out, err = run("show", namespace)
    assert (code, err) == (0, "")
    assert out.startswith(f"Namespace {namespace}\n")
    assert "none; it would get default-deny" in " ".join(out.split())
    assert "allow-dns     would come" in out
    words = " ".join(out.split())
    assert "Service kube-system/kube-dns selects pods with k8s-app=kube-dns; they listen" in words
    assert "on 1053" in words
    assert "not known: no CNI plugin was recognised" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.usefixtures("dns")
def test_show_compares_with_what_is_there(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    wanted = as_json(run("show", namespace, "-o", "json"))
    assert [one["state"] for one in wanted["networkPolicies"]] == ["missing", "missing"]
    control_plane.kubectl("label", "namespace", namespace, "netreeve.io/baseline=default-deny")
    assert run("show", namespace)[0] == 1
    for one in wanted["networkPolicies"]:
        control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(one["manifest"]))
    report = as_json(answer := run("show", namespace, "-o", "json"))
    assert answer[0] == 0
    assert [one["state"] for one in report["networkPolicies"]] == ["as wanted", "as wanted"]
    assert report["namespace"]["covered"] is True
    opened: dict[str, Any] = {"spec": {"egress": [{}]}}
    control_plane.kubectl(
        "patch", "networkpolicy", "default-deny", "-n", namespace, "--type=merge",
        "-p", json.dumps(opened),
    )  # fmt: skip
    code, out, _ = run("show", namespace)
    assert code == 1
    assert "default-deny  changed" in out


def test_show_without_dns(run: Run, namespace: str) -> None:
    report = as_json(answer := run("show", namespace, "-o", "json"))
    assert answer[0] == 1
    assert [one["reason"] for one in report["problems"]] == ["DnsNotFound"]
    assert report["networkPolicies"] == []


@pytest.mark.usefixtures("dns")
def test_show_says_that_nothing_enforces(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    flannel = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "kube-flannel-ds", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": {"app": "flannel"}},
            "template": {
                "metadata": {"labels": {"app": "flannel"}},
                "spec": {"containers": [{"name": "kube-flannel", "image": "registry.example/f:1"}]},
            },
        },
    }
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(flannel))
    where = ("daemonset", "kube-flannel-ds", "-n", "kube-system")
    try:
        wait_for(lambda: run("show", namespace)[0] == 1, 10, "the DaemonSet to be scheduled")
        out = " ".join(run("show", namespace)[1].split())
        assert "Enforced no: Flannel connects pods and enforces nothing" in out
        assert "Flannel, by DaemonSet kube-system/kube-flannel-ds" in out
    finally:
        control_plane.kubectl("delete", *where)


def test_show_tells_the_status_of_the_controller_harmlessly(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    said = {
        "state": "failing",
        "reason": "WriteRefused",
        "message": "no \x1b[31mred",
        "since": "2026-01-01T00:00:00Z",
    }
    annotation = f"netreeve.io/baseline-status={json.dumps(said)}"
    control_plane.kubectl("annotate", "namespace", namespace, annotation)
    code, out, _ = run("show", namespace)
    assert code == 1
    assert "failing since 2026-01-01T00:00:00Z: no  [31mred" in " ".join(out.split(" "))
    assert "\x1b" not in out


# --- preview


def test_preview_finds_what_would_be_cut_off(run: Run, shop: str) -> None:
    report = as_json(answer := run("preview", shop, "-o", "json"))
    assert answer[0] == 1
    found = lost(report)
    edge, nightly = f"Deployment {shop}-edge/controller", f"CronJob {shop}-reports/nightly"
    frontend, backend, db = (
        f"Deployment {shop}/frontend",
        f"Deployment {shop}/backend",
        f"Pod {shop}/db",
    )
    api_server = next(one for one in found if one[1].startswith("Service default/kubernetes at"))
    assert found.keys() == {
        (edge, frontend, 8000),
        (frontend, backend, 8080),
        (frontend, "api.example.com", 443),
        (backend, db, 5432),
        (nightly, backend, 8080),
        ("whoever scrapes metrics", backend, 9100),
        api_server,
    }
    assert found[edge, frontend, 8000]["evidence"] == [f"Ingress {shop}/web"]
    assert found[frontend, backend, 8080]["evidence"] == [
        f"variable BACKEND of container main of {frontend} names backend"
    ]
    remedies = {key: one["remedy"].get("allow") for key, one in found.items()}
    assert remedies[edge, frontend, 8000] == {
        "ingressControllers": {"namespaces": [f"{shop}-edge"]}
    }
    assert remedies[frontend, backend, 8080] == {"sameNamespace": True}
    assert remedies[frontend, "api.example.com", 443] == {"internet": {"ports": [443]}}
    assert remedies[api_server] == {"apiServer": True}
    assert found[nightly, backend, 8080]["remedy"]["policy"]["podSelector"] == {
        "matchLabels": {"app": "backend"}
    }
    assert report["unusedServices"] == ["idle"]
    assert report["connections"] == len(found)
    assert "s3cret" not in answer[1]


def test_what_the_preview_advises_keeps_the_connections(
    run: Run, control_plane: ControlPlane, shop: str, tmp_path: Path
) -> None:
    """Every remedy applied, nothing is cut off any more."""
    report = as_json(run("preview", shop, "-o", "json"))
    allow: dict[str, Any] = {}
    for place, one in enumerate(report["severed"]):
        allow.update(one["remedy"].get("allow") or {})
        if spec := one["remedy"].get("policy"):
            own = {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": f"own-{place}", "namespace": shop},
                "spec": spec,
            }
            control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(own))
    allow["monitoring"] = {"namespaces": ["monitoring"]}
    config = tmp_path / "gate.yaml"
    baselines = json.dumps({"default-deny": {"allow": allow}})
    config.write_text(f"{HEAD}baseline: {{baselines: {baselines}}}")
    after = as_json(answer := run("preview", shop, "-o", "json", "--config", str(config)))
    assert after["severed"] == []
    assert answer[0] == 0


def test_preview_for_people(run: Run, shop: str) -> None:
    _, out, _ = run("preview", shop)
    assert "What would be cut off: 7 of 7 connections" in out
    assert "keep it by  allow: {sameNamespace: true}" in out
    assert "Nobody was found that uses idle" in out
    assert "programs read from elsewhere is not seen." in out
    assert max(map(len, out.splitlines())) <= 80


GATEWAY_API = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: PLURAL.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: unapproved}
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {plural: PLURAL, singular: SINGULAR, kind: KIND}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: SHOP}
spec:
  parentRefs: [{name: public, namespace: SHOP-edge}]
  rules: [{backendRefs: [{name: backend, port: 8080}]}]
---
apiVersion: v1
kind: Pod
metadata:
  name: proxy
  namespace: SHOP-edge
  labels: {gateway.networking.k8s.io/gateway-name: public}
spec: {containers: [{name: main, image: registry.example/proxy:1}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: to-db, namespace: SHOP-reports}
spec:
  podSelector: {matchLabels: {app: nightly}}
  policyTypes: [Egress]
  egress:
    - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: SHOP}}}]
      ports: [{port: 5432}]
"""


@pytest.fixture
def gateway_api(control_plane: ControlPlane) -> Iterator[None]:
    """Its kinds, with schemas that take everything."""
    kinds = {"gateways": "Gateway", "httproutes": "HTTPRoute"}
    texts = [
        GATEWAY_API.replace("PLURAL", plural)
        .replace("SINGULAR", kind.lower())
        .replace("KIND", kind)
        for plural, kind in kinds.items()
    ]
    crds = "---".join(texts)
    control_plane.kubectl("apply", "-f", "-", stdin=crds)
    for plural in kinds:
        name = f"crd/{plural}.gateway.networking.k8s.io"
        control_plane.kubectl("wait", "--for=condition=Established", name)
    yield
    control_plane.kubectl("delete", "-f", "-", stdin=crds)


@pytest.mark.usefixtures("gateway_api")
def test_preview_reads_routes_and_the_policies_of_others(
    run: Run, control_plane: ControlPlane, shop: str
) -> None:
    edge = f"{shop}-edge"
    wait_for(
        lambda: (
            not control_plane.kubectl(
                "get", "serviceaccount", "default", "-n", edge, check=False
            ).returncode
        ),
        10,
        "the default ServiceAccount",
    )
    control_plane.kubectl("apply", "-f", "-", stdin=ROUTE.replace("SHOP", shop))
    found = lost(as_json(run("preview", shop, "-o", "json")))
    route = found[f"Pod {edge}/proxy", f"Deployment {shop}/backend", 8080]
    assert route["evidence"] == [f"route {shop}/web"]
    assert route["remedy"]["allow"] == {"ingressControllers": {"namespaces": [edge]}}
    report = found[f"CronJob {shop}-reports/nightly", f"Pod {shop}/db", 5432]
    assert report["evidence"] == [f"NetworkPolicy {shop}-reports/to-db allows it"]
    # What its own NetworkPolicy forbids today is no loss.
    backend = (f"CronJob {shop}-reports/nightly", f"Deployment {shop}/backend", 8080)
    assert backend not in found


# --- adopt


@pytest.mark.usefixtures("dns")
def test_adopt_sets_the_label_and_nothing_else(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    before = labels(control_plane, namespace)
    code, out, err = run("adopt", namespace, "--yes", "-o", "json")
    assert code == 0
    assert json.loads(out)["adopted"] is True
    assert f"{namespace} is now under default-deny" in err
    assert labels(control_plane, namespace) == {
        **before,
        "netreeve.io/baseline": "default-deny",
    }
    code, _, err = run("adopt", namespace, "--yes")
    assert code == 0
    assert "is under default-deny already" in err


@pytest.mark.usefixtures("dns")
def test_adopt_takes_the_baseline_that_the_configuration_or_the_option_names(
    run: Run, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    config = tmp_path / "gate.yaml"
    config.write_text(HEAD + "baseline: {baselines: {open: {allow: {anyEgress: true}}}}\n")
    given = ("--yes", "--config", str(config), "--baseline")
    assert run("adopt", namespace, *given, "opne")[0] == 2
    assert run("adopt", namespace, *given, "open")[0] == 0
    assert labels(control_plane, namespace)["netreeve.io/baseline"] == "open"
    code, _, err = run("adopt", namespace, *given, "default-deny")
    assert code == 1
    assert "is under the baseline open" in err


@pytest.mark.usefixtures("dns")
def test_adopt_asks(
    run: Run, control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for said, code in (("\n", 1), ("no\n", 1), ("y\n", 0)):
        ours, theirs = pty.openpty()
        with os.fdopen(theirs, "r") as terminal:
            os.write(ours, said.encode())
            monkeypatch.setattr(sys, "stdin", terminal)
            found, out, err = run("adopt", namespace)
        os.close(ours)
        assert found == code
        assert "What would be cut off" in out
        assert f"Put {namespace} under the baseline default-deny? [y/N]" in err
        assert ("netreeve.io/baseline" in labels(control_plane, namespace)) is (code == 0)


def test_adopt_does_not_guess_without_a_terminal(
    run: Run, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    code, out, err = run("adopt", namespace)
    assert (code, out) == (2, "")
    assert "give --yes" in err


@pytest.mark.usefixtures("dns")
def test_adopt_leaves_the_system_alone(run: Run, control_plane: ControlPlane) -> None:
    code, _, err = run("adopt", "kube-system", "--yes")
    assert code == 1
    assert "not adopted: kube-system gets no baseline: it belongs to the system" in err
    assert "netreeve.io/baseline" not in labels(control_plane, "kube-system")


@pytest.mark.usefixtures("dns")
def test_adopt_stops_at_a_policy_of_the_users_own(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=UNLABELLED_DENY)
    code, out, err = run("adopt", namespace, "--yes")
    assert code == 1
    assert "default-deny  not ours" in out
    assert "apply it under another name, delete default-deny, and adopt again" in err
    assert "netreeve.io/baseline" not in labels(control_plane, namespace)


def test_adopt_stops_where_new_pods_would_wait_for_ever(run: Run, namespace: str) -> None:
    code, _, err = run("adopt", namespace, "--yes")
    assert code == 1
    assert "no DNS was found, so nothing would be generated" in err


@pytest.mark.usefixtures("dns")
@pytest.mark.parametrize(
    ("leader", "state"),
    [
        (("", 0), "stopped"),
        (("one", 90), "stopped"),
        (("one", 30), "running"),
        (("one", -600), "running"),
    ],
)
def test_adopt_needs_a_controller(
    run: Run, control_plane: ControlPlane, namespace: str, leader: tuple[str, float], state: str
) -> None:
    lead(control_plane, *leader)
    report = as_json(answer := run("preview", namespace, "-o", "json"))
    assert (report["controller"]["state"], answer[0]) == (state, int(state == "stopped"))
    code, _, err = run("adopt", namespace, "--yes")
    assert code == int(state == "stopped")
    assert ("not adopted: no controller runs (Lease netreeve/netreeve-control" in err) is bool(code)


@pytest.mark.usefixtures("dns")
def test_adopt_needs_a_controller_that_has_run_at_all(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    forget_lease(control_plane)
    _, out, _ = run("preview", namespace)
    assert "Controller  no controller has run here" in out
    code, _, err = run("adopt", namespace, "--yes")
    assert code == 1
    assert "there is no Lease netreeve/netreeve-control" in err
    lead(control_plane)
    assert run("adopt", namespace, "--yes", "--lease", "elsewhere/control")[0] == 1
    assert "netreeve.io/baseline" not in labels(control_plane, namespace)


# --- remove


@pytest.fixture
def covered(run: Run, control_plane: ControlPlane, namespace: str, shop: str) -> str:
    """A shop with everything that its baseline asks for, and a preset."""
    control_plane.kubectl("label", "namespace", namespace, "netreeve.io/baseline=open")
    return namespace


def configured(folder: Path, baseline: str) -> Path:
    config = folder / "gate.yaml"
    config.write_text(f"{HEAD}baseline: {{baselines: {baseline}}}\n")
    return config


def generate(run: Run, control_plane: ControlPlane, namespace: str, config: Path) -> None:
    """What the controller would write."""
    wanted = as_json(run("show", namespace, "-o", "json", "--config", str(config)))
    for one in wanted["networkPolicies"]:
        control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(one["manifest"]))


def generated(control_plane: ControlPlane, namespace: str) -> set[str]:
    """Names of the policies that are there."""
    found = control_plane.kubectl("get", "networkpolicies", "-n", namespace, "-o", "name").stdout
    return {line.partition("/")[2] for line in found.split()}


def test_remove_deletes_what_a_baseline_dropped_and_nothing_else(
    run: Run, control_plane: ControlPlane, covered: str, tmp_path: Path
) -> None:
    allow = "{open: {allow: {sameNamespace: true, monitoring: {namespaces: [watch]}}}}"
    generate(run, control_plane, covered, configured(tmp_path, allow))
    config = str(configured(tmp_path, "{open: {allow: {monitoring: {namespaces: [watch]}}}}"))
    code, out, _ = run("show", covered, "--config", config)
    assert code == 1
    assert "left in place: allow-same-namespace" in " ".join(out.split())
    code, out, err = run("remove", covered, "--yes", "-o", "json", "--config", config)
    assert (code, err) == (0, f"1 NetworkPolicy of {covered} deleted\n")
    removal = json.loads(out)["removal"]
    assert removal["networkPolicies"] == ["allow-same-namespace"]
    assert (removal["label"], removal["opened"]) == (None, [])
    frontend, backend = f"Deployment {covered}/frontend", f"Deployment {covered}/backend"
    cut = {(one["source"], one["target"]) for one in removal["severed"]}
    assert (frontend, backend) in cut
    left = {"allow-dns", "allow-monitoring", "default-deny"}
    assert generated(control_plane, covered) == left
    code, _, err = run("remove", covered, "--yes", "--config", config)
    assert (code, err) == (0, f"nothing is left over in {covered}\n")
    assert generated(control_plane, covered) == left


def test_remove_ends_a_retired_baseline(
    run: Run,
    control_plane: ControlPlane,
    covered: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generate(run, control_plane, covered, configured(tmp_path, "{open: {}}"))
    config = str(configured(tmp_path, "{other: {}}"))
    own = UNLABELLED_DENY.replace("default-deny", "own")
    control_plane.kubectl("apply", "-n", covered, "-f", "-", stdin=own)
    for said, code in (("\n", 1), ("y\n", 0)):
        ours, theirs = pty.openpty()
        with os.fdopen(theirs, "r") as terminal:
            os.write(ours, said.encode())
            monkeypatch.setattr(sys, "stdin", terminal)
            found, out, err = run("remove", covered, "--config", config)
        os.close(ours)
        assert found == code
        assert f"Delete 2 NetworkPolicies and the label of {covered} for good? [y/N]" in err
        words = " ".join(out.split())
        assert "the label netreeve.io/baseline=open of the namespace" in words
        assert "NetworkPolicy default-deny NetworkPolicy allow-dns" in words
        assert f"Deployment {covered}/frontend open to everywhere" in words
        left = {"own"} if code == 0 else {"own", "allow-dns", "default-deny"}
        assert generated(control_plane, covered) == left
    assert "netreeve.io/baseline" not in labels(control_plane, covered)


def test_remove_does_not_guess(
    run: Run, control_plane: ControlPlane, covered: str, tmp_path: Path
) -> None:
    """Without the configuration every baseline would look retired."""
    generate(run, control_plane, covered, configured(tmp_path, "{open: {}}"))
    code, _, err = run("remove", covered, "--yes")
    assert code == 1
    assert f"{covered} is under open, and without the configuration" in err
    assert generated(control_plane, covered) == {"allow-dns", "default-deny"}
    control_plane.kubectl("label", "namespace", covered, "netreeve.io/baseline-")
    assert run("remove", covered, "--yes")[0] == 0
    assert generated(control_plane, covered) == set()


def test_lists_are_read_to_their_end(control_plane: ControlPlane, shop: str) -> None:
    """Page by page as much as at once; no more namespaces are made in between."""

    async def services(page: int) -> set[tuple[str, str]]:
        async with Connection(Kubeconfig(str(control_plane.kubeconfig))) as connection:
            found = await Reader(connection, LEASE, datetime.now(UTC), page).traffic()
        return {(one.metadata.namespace, one.metadata.name) for one in found.services}

    assert asyncio.run(services(1)) == asyncio.run(services(500)) >= {(shop, "idle"), (shop, "db")}


# --- what can go wrong


def test_no_such_namespace(run: Run) -> None:
    name = f"absent-{uuid.uuid4().hex[:6]}"
    assert run("show", name) == (2, "", f"netreeve: there is no namespace '{name}'\n")


def test_no_rights_at_all(run: Run, control_plane: ControlPlane, namespace: str) -> None:
    code, out, err = run("show", namespace, kubeconfig=control_plane.kubeconfig_for("stranger"))
    assert (code, out) == (2, "")
    assert 'User "stranger" cannot get resource "namespaces"' in err


@pytest.mark.usefixtures("dns")
def test_some_rights(run: Run, control_plane: ControlPlane, namespace: str) -> None:
    """What can be read is reported, what cannot is named, and nothing is adopted blindly."""
    group = f"viewers-{namespace}"
    control_plane.kubectl("create", "clusterrolebinding", group, "--clusterrole=view",
                          f"--group={group}")  # fmt: skip
    kubeconfig = control_plane.kubeconfig_for("viewer", (group,))
    wait_for(lambda: run("show", namespace, kubeconfig=kubeconfig)[1], 10, "the rights")
    report = as_json(answer := run("show", namespace, "-o", "json", kubeconfig=kubeconfig))
    assert answer[0] == 2
    assert [one["path"] for one in report["unreadable"]] == [
        "/api/v1/nodes",
        "/apis/coordination.k8s.io/v1/namespaces/netreeve/leases",
    ]
    assert len(report["networkPolicies"]) == 2
    code, _, err = run("adopt", namespace, "--yes", kubeconfig=kubeconfig)
    assert code == 2
    assert "not adopted: what could not be read might be cut off" in err
    control_plane.kubectl("delete", "clusterrolebinding", group)


def test_no_cluster(run: Run, tmp_path: Path, control_plane: ControlPlane) -> None:
    config = json.loads(control_plane.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "config").write_text(json.dumps(config))
    code, out, err = run("show", "default", kubeconfig=tmp_path / "config")
    assert (code, out) == (2, "")
    assert "https://127.0.0.1:9/api/v1/namespaces/default: not reachable" in err
    code, _, err = run("show", "default", kubeconfig=tmp_path / "absent")
    assert code == 2
    assert "does not exist: name one that does" in err


def test_kubeconfig_of_the_environment_and_its_context(
    control_plane: ControlPlane,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    assert main(["baseline", "show", namespace, "--context", "kubernetes-admin"]) in (0, 1)
    assert capsys.readouterr().out.startswith(f"Namespace {namespace}")
    assert main(["baseline", "show", namespace, "--context", "absent"]) == 2
    assert "context absent" in capsys.readouterr().err
    monkeypatch.setenv("KUBECONFIG", f"one{os.pathsep}two")
    assert main(["baseline", "show", namespace]) == 2
    assert "choose one with --kubeconfig" in capsys.readouterr().err
