"""What a preview finds in a cluster given as objects, where a real one is not needed to tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from policies.baseline import views as facts_views
from policies.baseline.config import Baseline, BaselineConfig
from policies.baseline.facts import EndpointPort, EndpointSlice, Facts, Node, Service, ServicePort
from webhook.audit.baseline import views
from webhook.audit.baseline.read import Ground, Traffic
from webhook.audit.baseline.report import Preview, Report, obstacles, preview
from webhook.audit.baseline.severed import Severed
from webhook.audit.baseline.standing import standing

DNS = Service("kube-system", "kube-dns", {}, ("10.96.0.10",), {"k8s-app": "kube-dns"}, (
    ServicePort("dns", "UDP", 53, 53), ServicePort("dns-tcp", "TCP", 53, 53),
))  # fmt: skip
API = EndpointSlice("default", "k", "kubernetes", ("10.0.0.1",), (EndpointPort("", "TCP", 6443),))
FACTS = Facts(services=(DNS,), slices=(API,), nodes=(Node(addresses=("10.0.0.9",)),))
NAMESPACES = {
    name: {"kubernetes.io/metadata.name": name} for name in ("shop", "edge", "monitoring")
}


def pod(name: str, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "env": [{"name": "TO", "value": more.pop("to")}] if "to" in more else [],
        "ports": more.pop("ports", []),
    }
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    metadata["annotations"] = more.pop("annotations", {})
    return {"metadata": metadata, "spec": {"containers": [container], **more}}


def service(name: str, namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}], **spec}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def look(
    *,
    pods: list[dict[str, Any]],
    services: list[dict[str, Any]] | None = None,
    slices: list[dict[str, Any]] | None = None,
    policies: list[dict[str, Any]] | None = None,
    ingresses: list[dict[str, Any]] | None = None,
    allow: dict[str, Any] | None = None,
) -> Preview:
    config = BaselineConfig(
        baselines={"default-deny": msgspec.convert({"allow": allow or {}}, Baseline)}
    )
    namespace = msgspec.convert({"metadata": {"name": "shop", "uid": "1"}}, views.Object)
    stored = tuple(msgspec.convert(policies or [], list[views.StoredPolicy]))
    mine = tuple(one for one in stored if one.namespace == "shop")
    ground = Ground(namespace, mine, FACTS, ())
    traffic = Traffic(
        namespaces=NAMESPACES,
        policies=stored,
        pods=tuple(("Pod", one) for one in msgspec.convert(pods, list[views.Pod])),
        services=tuple(msgspec.convert(services or [], list[views.Service])),
        slices=tuple(msgspec.convert(slices or [], list[facts_views.EndpointSlice])),
        ingresses=tuple(msgspec.convert(ingresses or [], list[views.Ingress])),
        gateways=(),
        routes=(),
        unread=(),
    )
    return preview(config, standing(config, ground), ground, traffic)


def only(found: Preview) -> Severed:
    (one,) = found.severed
    return one


def test_a_named_target_port_is_that_of_the_container() -> None:
    web = pod("web", ports=[{"name": "http", "containerPort": 8000}])
    found = look(
        pods=[web, pod("client", to="http://web")],
        services=[service("web", ports=[{"port": 80, "targetPort": "http"}])],
    )
    assert (only(found).target, only(found).port) == ("Pod shop/web", 8000)


def test_pods_on_the_network_of_their_node_are_not_reached_by_policies() -> None:
    """They come by the addresses of the nodes."""
    agent = pod("agent", hostNetwork=True, to="http://web")
    one = only(look(pods=[agent, pod("web")], services=[service("web")]))
    assert one.source == "Pod shop/agent"
    assert one.remedy.policy is not None
    assert one.remedy.policy["ingress"][0]["from"] == [{"ipBlock": {"cidr": "10.0.0.9/32"}}]
    ours = pod("agent", hostNetwork=True, to="https://api.example.com")
    assert look(pods=[ours]).looked == 0


def test_a_service_without_selector_leads_to_its_endpoints() -> None:
    slices = [
        {
            "metadata": {
                "name": "old-1",
                "namespace": "shop",
                "labels": {"kubernetes.io/service-name": "old"},
            },
            "endpoints": [{"addresses": ["10.9.9.9"]}],
            "ports": [{"port": 5432}],
        }
    ]
    found = look(
        pods=[pod("web", to="old:5432")],
        services=[service("old", selector={}, ports=[{"port": 5432}])],
        slices=slices,
    )
    one = only(found)
    assert (one.target, one.port) == ("Service shop/old at 10.9.9.9", 5432)
    assert one.remedy.policy is not None
    assert one.remedy.policy["egress"] == [
        {
            "to": [{"ipBlock": {"cidr": "10.9.9.9/32"}}],
            "ports": [{"protocol": "TCP", "port": 5432}],
        }
    ]


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_a_service_that_the_outside_reaches(kind: str) -> None:
    one = only(look(pods=[pod("web")], services=[service("web", type=kind)]))
    assert one.source == "clients outside of the cluster"
    assert one.evidence == (f"Service shop/web has type {kind}",)
    assert one.remedy.policy is not None
    assert one.remedy.policy["ingress"][0]["from"] == [
        {"ipBlock": {"cidr": "0.0.0.0/0"}},
        {"ipBlock": {"cidr": "::/0"}},
    ]


def test_a_load_balancer_for_some_networks() -> None:
    ranges = ["198.51.100.0/24", "2001:db8::/32"]
    services = [service("web", type="LoadBalancer", loadBalancerSourceRanges=ranges)]
    one = only(look(pods=[pod("web")], services=services))
    assert one.remedy.policy is not None
    assert one.remedy.policy["ingress"][0]["from"] == [{"ipBlock": {"cidr": one}} for one in ranges]


INGRESS = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
}


def test_an_ingress_controller_that_is_not_found_is_told_by_the_configuration() -> None:
    given: dict[str, Any] = {
        "pods": [pod("web")],
        "services": [service("web")],
        "ingresses": [INGRESS],
    }
    one = only(look(**given))
    assert one.source == "the ingress controller of Ingress shop/web"
    assert one.remedy.text == "allow.ingressControllers with the namespaces in which it runs"
    allow = {"ingressControllers": {"namespaces": ["edge"], "ports": [80]}}
    assert look(**given, allow=allow).severed == ()
    elsewhere = {"ingressControllers": {"namespaces": ["edge"], "ports": [8443]}}
    late = only(look(**given, allow=elsewhere))
    assert late.remedy.text.startswith("a NetworkPolicy: from pods of edge, TCP 80, for Pod shop/")


def test_what_policies_of_the_namespace_allow_already_stays() -> None:
    def own(spec: dict[str, Any]) -> dict[str, Any]:
        return {"metadata": {"name": "own", "namespace": "shop"}, "spec": spec}

    given: dict[str, Any] = {
        "pods": [pod("web"), pod("a", to="http://web")],
        "services": [service("web")],
    }
    one_way = own({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]})
    assert len(look(**given, policies=[one_way]).severed) == 1
    same: list[Any] = [{"podSelector": {}}]
    both = own({"podSelector": {}, "ingress": [{"from": same}], "egress": [{"to": same}]})
    assert look(**given, policies=[both]).severed == ()


def test_what_is_denied_today_is_not_cut_off() -> None:
    deny = {
        "metadata": {"name": "closed", "namespace": "shop"},
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]},
    }
    found = look(
        pods=[pod("web"), pod("a", to="http://web")], services=[service("web")], policies=[deny]
    )
    assert (found.severed, found.looked) == ((), 1)


def test_several_ways_of_knowing_are_one_finding() -> None:
    a = pod("a", to="http://web, http://web.shop:80")
    one = only(look(pods=[pod("web"), a], services=[service("web")]))
    assert [text.rpartition(" ")[2] for text in one.evidence] == ["web", "web.shop"]


def test_scrapes_of_metrics_and_where_prometheus_is() -> None:
    web = pod("web", annotations={"prometheus.io/scrape": "true"}, ports=[{"containerPort": 9100}])
    assert only(look(pods=[web])).port == 9100
    allow = {"monitoring": {"namespaces": ["monitoring"]}}
    assert look(pods=[web], allow=allow).severed == ()


def test_services_whose_clients_nobody_knows() -> None:
    services = [service("web"), service("idle"), service("headless", selector={})]
    found = look(pods=[pod("web"), pod("a", to="http://web")], services=services)
    assert found.unused == ("idle",)


def grounds() -> Iterator[tuple[dict[str, Any], BaselineConfig, Facts, str]]:
    fine = {"name": "shop"}
    yield fine, BaselineConfig(excludedNamespaces=("shop",)), FACTS, "the configuration excludes it"
    yield fine, BaselineConfig(enabled=False), FACTS, "baselines are switched off"
    yield fine, BaselineConfig(), Facts(), "no DNS was found"
    ending = {**fine, "deletionTimestamp": "2026-01-01T00:00:00Z"}
    yield ending, BaselineConfig(), FACTS, "is being deleted"
    yield {"name": "calico-system"}, BaselineConfig(), FACTS, "it belongs to the system"


@pytest.mark.parametrize(("metadata", "config", "facts", "expected"), list(grounds()))
def test_what_cannot_be_adopted(
    metadata: dict[str, Any], config: BaselineConfig, facts: Facts, expected: str
) -> None:
    namespace = msgspec.convert({"metadata": metadata}, views.Object)
    (text,) = obstacles(standing(config, Ground(namespace, (), facts, ())))
    assert expected in text


def test_a_label_that_is_not_configured() -> None:
    labels = {"netreeve.io/baseline": "gone"}
    namespace = msgspec.convert({"metadata": {"name": "shop", "labels": labels}}, views.Object)
    found = standing(BaselineConfig(), Ground(namespace, (), FACTS, ()))
    assert (found.known, found.rules) == (False, ())
    assert Report(found, {}).exit_code == 1


def test_a_namespace_that_gets_no_baseline_is_told_of_no_policies() -> None:
    namespace = msgspec.convert({"metadata": {"name": "kube-system"}}, views.Object)
    found = standing(BaselineConfig(), Ground(namespace, (), FACTS, ()))
    assert (found.rules, found.problems, found.left) == ((), (), ())
