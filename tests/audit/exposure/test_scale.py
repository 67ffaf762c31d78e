"""Two hundred namespaces with ten thousand pods: the map takes seconds, and so does the page."""

from __future__ import annotations

import io
import os
import time
from typing import Any

import msgspec
import pytest

from policies.model import NOTHING_KNOWN
from policies.services.reach import Declared
from tests.policies.network_policies.given import Json, views
from webhook.audit.baseline import views as stored
from webhook.audit.baseline.cluster import Actor
from webhook.audit.baseline.read import Traffic
from webhook.audit.exposure.draw import expose
from webhook.audit.exposure.matrix import reachable
from webhook.audit.exposure.sides import Sides
from webhook.audit.findings import Report
from webhook.audit.reports import FORMATS

pytestmark = pytest.mark.slow
SCALE = 10 if os.environ.get("NETREEVE_SCALE") == "full" else 1
NAMESPACES = 200


def large(namespaces: int, workloads: int) -> tuple[list[Actor], list[Json]]:
    """Each namespace with a default-deny, DNS, and rules of its own for every workload."""
    actors, manifests = [], []

    def policy(namespace: str, name: str, **spec: object) -> Json:
        return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}

    for at in range(namespaces):
        name = f"team-{at}"
        manifests.append(policy(name, "deny", podSelector={}, policyTypes=["Ingress", "Egress"]))
        to = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team-0"}}}
        egress = [
            {"to": [to], "ports": [{"port": 53, "protocol": "UDP"}]},
            {"to": [{"podSelector": {}}]},
        ]
        manifests.append(policy(name, "dns", podSelector={}, egress=egress, policyTypes=["Egress"]))
        for number in range(workloads):
            labels = {"app": f"app-{at}-{number}", "team": name}
            ports = {("http", "TCP"): 8000 + number}
            actors.append(Actor(name, "Deployment", f"w{number}", labels, {}, ports, (), False, ()))
            group = {"matchLabels": {"group": str(at % 20)}}
            peers = [{"namespaceSelector": group}, {"podSelector": {"matchLabels": {"team": name}}}]
            rules = [{"from": peers, "ports": [{"port": "http"}]}]
            here = {"matchLabels": {"app": labels["app"]}}
            manifests.append(policy(name, f"to-{number}", podSelector=here, ingress=rules))
            out = [{"to": [{"namespaceSelector": group}], "ports": [{"port": 8000 + number}]}]
            manifests.append(
                policy(name, f"from-{number}", podSelector=here, egress=out, policyTypes=["Egress"])
            )
    return actors, manifests


def test_the_matrix_takes_seconds() -> None:
    """3,000 workloads, as 10,000 pods come from; no two have the same labels and policies."""
    number = 15 * (3 if SCALE > 1 else 1)
    actors, manifests = large(200, number)
    labels = {f"team-{at}": {"group": str(at % 20)} for at in range(200)}
    for name, own in labels.items():
        own["kubernetes.io/metadata.name"] = name
    read = views(manifests)
    start = time.process_time()
    found = list(reachable(actors, labels, Sides(read)))
    took = time.process_time() - start
    assert len(found) == 200 * 200
    by_pair = {(one.source, one.target): one for one in found}
    assert by_pair["team-1", "team-21"].ports == tuple(f"TCP {8000 + one}" for one in range(number))
    assert by_pair["team-1", "team-2"].reach == "nothing"
    assert took < 10 * SCALE, f"{took:.1f} s"


ADDRESS = {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}


def of_workload(one: Actor, replicas: int) -> dict[str, list[Json]]:
    """Bare pods, which no owner folds, behind a load balancer and an Ingress of one address."""
    meta = {"name": one.name, "namespace": one.namespace}
    ports = [{"name": "http", "containerPort": 8080}]
    backend = {"service": {"name": one.name, "port": {"number": 80}}}
    rule = {"host": "shop.example.com", "http": {"paths": [{"backend": backend}]}}
    service = {
        "type": "LoadBalancer",
        "selector": dict(one.labels),
        "ports": [{"port": 80, "targetPort": "http"}],
    }
    pod = {"containers": [{"name": "main", "ports": ports}]}
    return {
        "pods": [
            {
                "metadata": {**meta, "name": f"{one.name}-{at}", "labels": dict(one.labels)},
                "spec": pod,
            }
            for at in range(replicas)
        ],
        "services": [{"metadata": meta, "spec": service, "status": ADDRESS}],
        "ingresses": [{"metadata": meta, "spec": {"rules": [rule]}, "status": ADDRESS}],
    }


def test_the_whole_map_of_ten_thousand_pods_takes_seconds() -> None:
    actors, manifests = large(NAMESPACES, 10)
    parts: dict[str, list[Json]] = {"pods": [], "services": [], "ingresses": []}
    for actor in actors:
        for name, some in of_workload(actor, 5).items():
            parts[name] += some

    def read(type: Any, some: list[Json]) -> tuple[Any, ...]:
        return tuple(msgspec.convert(some, list[type]))

    traffic = Traffic(
        namespaces={f"team-{at}": {} for at in range(NAMESPACES)},
        policies=read(stored.StoredPolicy, manifests),
        pods=tuple(("Pod", one) for one in read(stored.Pod, parts["pods"])),
        services=read(stored.Service, parts["services"]),
        slices=(),
        ingresses=read(stored.Ingress, parts["ingresses"]),
        gateways=(),
        routes=(),
        unread=(),
    )
    start = time.process_time()
    found = expose(traffic, NOTHING_KNOWN, Declared())
    took = time.process_time() - start
    assert (len(found.workloads), len(found.pairs)) == (10_000, NAMESPACES**2)
    assert len(found.ways) == 2_000 * 3
    out = io.StringIO()
    FORMATS["html"](Report(exposure=found), out)
    assert len(out.getvalue()) < 20_000_000
    assert took < 30, f"{took:.1f} s"
