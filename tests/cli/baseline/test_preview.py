"""What a default-deny would cut off, foreseen on a real cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.baseline.given import Run, as_json, lost
from tests.config.given import HEAD
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

pytestmark = pytest.mark.cluster


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
