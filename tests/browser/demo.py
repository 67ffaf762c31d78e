"""A cluster as companies have them, for the pictures of the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from msgspec.structs import replace

from policies.model import ClusterFacts
from policies.services.reach import Declared
from tests.audit.given import parsed
from webhook.audit.check import check
from webhook.audit.exposure.draw import expose
from webhook.audit.exposure.manifests import gathered
from webhook.audit.findings import Report
from webhook.audit.judged import Judged
from webhook.audit.manifests import Input
from webhook.config import GateConfig, ruleset

Json = dict[str, Any]
TEAMS = (
    "accounts", "analytics", "assets", "billing", "catalog", "checkout", "content", "delivery",
    "fraud", "identity", "inventory", "ledger", "loyalty", "media", "notifications", "orders",
    "partners", "payments", "pricing", "recommendations", "reporting", "returns", "search",
    "support",
)  # fmt: skip
PARTS = (("web", 8080), ("api", 8000), ("worker", 9090), ("db", 5432))
ENTRY = "ingress-nginx"
DNS: list[Json] = [{"port": 53, "protocol": "UDP"}, {"port": 53}]
EDGE = {"loadBalancer": {"ingress": [{"hostname": "edge-4f1c.elb.example.com"}]}}
AWS = "service.beta.kubernetes.io/aws-load-balancer"
NAME = "kubernetes.io/metadata.name"
JUDGED = Judged(paths=("platform", "teams"), time="2026-05-28T20:26:40Z", profile="standard")


def report(stages: tuple[str, ...]) -> Report:
    """stages: suffixes of the namespaces of every team."""
    inputs = list(_inputs(stages))
    now = 1_780_000_000
    found = check(inputs, ruleset(GateConfig()), now=now)
    traffic, unread = gathered(inputs, "default")
    facts = ClusterFacts(providers=frozenset({"aws"}))
    exposure = expose(traffic, facts, Declared(), unread)
    return replace(found, exposure=exposure, judged=JUDGED)


def _inputs(stages: tuple[str, ...]) -> Iterator[Input]:
    yield from _read("platform/ingress.yaml", _platform())
    for stage in stages:
        for number, team in enumerate(TEAMS):
            name = f"{team}{stage}"
            yield from _read(f"teams/{team}/{name}.yaml", _team(number + len(stage), team, name))


def _read(file: str, objects: Iterator[Json]) -> Iterator[Input]:
    return parsed(yaml.safe_dump_all(objects), file)


def _object(version: str, kind: str, namespace: str, name: str, **more: Any) -> Json:
    metadata = {"name": name, "namespace": namespace, **more.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def _workload(kind: str, namespace: str, name: str, port: int, **pod: Any) -> Json:
    container = {
        "name": name,
        "image": f"registry.example/{name}:1",
        "ports": [{"name": "http", "containerPort": port, **pod.pop("offers", {})}],
    }
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **pod}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return _object("apps/v1", kind, namespace, name, spec=spec)


def _service(namespace: str, name: str, port: int, **spec: Any) -> Json:
    more = {key: spec.pop(key) for key in ("metadata", "status") if key in spec}
    ports = [{"port": port, "targetPort": "http", **spec.pop("offers", {})}]
    full = {"selector": {"app": name}, "ports": ports, **spec}
    return _object("v1", "Service", namespace, name, spec=full, **more)


def _policy(namespace: str, name: str, **spec: Any) -> Json:
    return _object("networking.k8s.io/v1", "NetworkPolicy", namespace, name, spec=spec)


def _namespace(name: str, **labels: str) -> Json:
    labels = {NAME: name, "netreeve.io/baseline": "default-deny", **labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _platform() -> Iterator[Json]:
    yield _namespace(ENTRY)
    yield _workload("Deployment", ENTRY, "controller", 443)
    yield _service(
        ENTRY, "controller", 443, type="LoadBalancer", allocateLoadBalancerNodePorts=False,
        metadata={"annotations": {f"{AWS}-type": "external", f"{AWS}-scheme": "internet-facing"}},
        status=EDGE,
    )  # fmt: skip
    yield _namespace("monitoring")
    yield _workload("StatefulSet", "monitoring", "prometheus", 9090)
    yield _workload("DaemonSet", "monitoring", "node-exporter", 9100, hostNetwork=True)
    yield _namespace("kube-dns")
    yield _workload("Deployment", "kube-dns", "coredns", 53)
    yield _namespace("vpn")
    udp = {"hostPort": 51820, "protocol": "UDP"}
    yield _workload("DaemonSet", "vpn", "gateway", 51820, offers=udp)
    yield _policy("kube-dns", "dns", podSelector={}, ingress=[{"ports": DNS}])


def _peer(namespace: str, app: str = "") -> Json:
    pods = {"podSelector": {"matchLabels": {"app": app}}} if app else {}
    return {"namespaceSelector": {"matchLabels": {NAME: namespace}}, **pods}


def _team(number: int, team: str, name: str) -> Iterator[Json]:
    yield _namespace(name, team=team)
    for part, port in PARTS[: 2 + number % 3]:
        kind = "StatefulSet" if part == "db" else "Deployment"
        odd = number % 11 == 4 and part == "worker"
        yield _workload(kind, name, part, port, **({"hostNetwork": True} if odd else {}))
        yield _service(name, part, 80 if part == "web" else port, **_type(number, part))
    yield _ingress(name)
    if number % 6 != 5:
        yield from _closed(name, name.removeprefix(team))
    if number % 8 == 3:
        yield _policy(name, "allow-all", podSelector={}, ingress=[{}])


def _type(number: int, part: str) -> Json:
    if part == "web" and number % 9 == 2:
        return {"type": "NodePort", "offers": {"nodePort": 30000 + number}}
    if part == "api" and number % 7 == 3:
        internal = {f"{AWS}-internal": "true"}
        return {"type": "LoadBalancer", "metadata": {"annotations": internal if number % 2 else {}}}
    if part == "db" and number % 12 == 8:
        return {"type": "LoadBalancer", "loadBalancerSourceRanges": ["198.51.100.0/24"]}
    return {}


def _ingress(name: str) -> Json:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return _object(
        "networking.k8s.io/v1", "Ingress", name, "web",
        spec={"rules": [{"host": f"{name}.example.com", "http": {"paths": [path]}}]},
        status=EDGE,
    )  # fmt: skip


def _closed(name: str, stage: str) -> Iterator[Json]:
    yield _policy(name, "default-deny", podSelector={}, policyTypes=["Ingress", "Egress"])
    yield _policy(
        name, "dns", podSelector={}, policyTypes=["Egress"],
        egress=[{"to": [_peer("kube-dns")], "ports": DNS}],
    )  # fmt: skip
    yield _policy(
        name, "same-namespace", podSelector={}, policyTypes=["Ingress", "Egress"],
        ingress=[{"from": [{"podSelector": {}}]}], egress=[{"to": [{"podSelector": {}}]}],
    )  # fmt: skip
    web = {"matchLabels": {"app": "web"}}
    yield _policy(name, "allow-ingress", podSelector=web, ingress=[{"from": [_peer(ENTRY)]}])
    metrics = [{"from": [_peer("monitoring")], "ports": [{"port": 9090}]}]
    yield _policy(name, "allow-metrics", podSelector={}, ingress=metrics)
    place, ports = TEAMS.index(name.removesuffix(stage)), [{"port": 8000}]
    clients = [_peer(f"{TEAMS[(place + step) % len(TEAMS)]}{stage}", "web") for step in (1, 5, 7)]
    servers = [_peer(f"{TEAMS[(place - step) % len(TEAMS)]}{stage}", "api") for step in (1, 5, 7)]
    yield _policy(
        name, "allow-clients", podSelector={"matchLabels": {"app": "api"}},
        ingress=[{"from": clients, "ports": ports}],
    )  # fmt: skip
    yield _policy(
        name, "allow-servers", podSelector=web, policyTypes=["Egress"],
        egress=[{"to": servers, "ports": ports}],
    )  # fmt: skip
