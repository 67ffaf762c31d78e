"""What Netreeve generates, under its own rules and in effect."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from policies.baseline.config import Baseline, BaselineConfig
from policies.baseline.facts import (
    Container,
    DaemonSet,
    EndpointPort,
    EndpointSlice,
    Facts,
    Service,
    ServicePort,
)
from policies.baseline.objects import Namespace, environment, manifest, plan
from policies.baseline.presets import Allow, EgressProxy, IngressControllers, Internet
from policies.model import Policy
from policies.network_policies.effective import External, Flow, Pods, allowed
from policies.network_policies.views import NetworkPolicy
from tests.policies.network_policies.given import NAMESPACES, Json, policy, view, views
from tests.policies.network_policies.test_rules import REQUEST, RULES, found

_PORTS = (ServicePort("dns", "UDP", 53, "dns"), ServicePort("dns-tcp", "TCP", 53, "dns-tcp"))
_CACHE = ("/node-cache", "-localip", "169.254.20.10,10.96.0.10")
FACTS = Facts(
    services=(
        Service("kube-system", "kube-dns", {}, ("10.96.0.10",), {"k8s-app": "kube-dns"}, _PORTS),
        Service("default", "kubernetes", {}, ("10.96.0.1",), {}, ()),
    ),
    slices=(
        EndpointSlice(
            *("kube-system", "kube-dns-x", "kube-dns", ("10.244.0.2",)),
            (EndpointPort("dns", "UDP", 53), EndpointPort("dns-tcp", "TCP", 53)),
        ),
        EndpointSlice(
            *("default", "kubernetes", "kubernetes", ("192.168.1.11",)),
            (EndpointPort("https", "TCP", 6443),),
        ),
    ),
    daemon_sets=(
        DaemonSet(
            *("kube-system", "node-local-dns", {"k8s-app": "node-local-dns"}, True),
            (Container("node-cache", "node-cache", _CACHE),),
        ),
    ),
    namespaces=frozenset({"istio-system"}),
)
EVERYTHING = Baseline(
    allow=Allow(
        sameNamespace=True,
        ingressControllers=IngressControllers(namespaces=("traefik",), cidrs=("10.0.0.0/24",)),
        egressProxy=EgressProxy(cidrs=("10.0.9.9/32",), ports=(3128,)),
        internet=Internet(),
        apiServer=True,
        anyEgress=True,
    ),
    meshes=("istio-ambient", "istio-sidecar"),
    policies={"legacy": {"ingress": [{"from": [{"namespaceSelector": {}}]}]}},
)
CONFIG = BaselineConfig(baselines={"everything": EVERYTHING})


def generated(name: str) -> list[Json]:
    baseline = CONFIG.baseline(name)
    assert baseline is not None
    namespace = Namespace("shop", "uid-1")
    made = plan(environment(CONFIG, FACTS), baseline, namespace).generated
    return [manifest(one, namespace, name) for one in made]


def findings(rule: Policy[NetworkPolicy, Any], manifests: list[Json]) -> list[str]:
    """Of each policy beside the others, in the order in which they are written."""
    stored = views(manifests)
    return [
        violation.field
        for at, one in enumerate(stored)
        for others in (stored[:at], stored)
        for violation in found(rule, one, msgspec.structs.replace(REQUEST, otherPolicies=others))
    ]


@pytest.mark.parametrize("name", ["default-deny", "everything"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_it_is_clean_under_every_rule(rule: Policy[NetworkPolicy, Any], name: str) -> None:
    assert findings(rule, generated(name)) == []


def by_a_user(manifests: list[Json]) -> list[Json]:
    return [policy(one["spec"], one["metadata"]["name"]) for one in manifests]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_user_may_write_the_default_one_too(rule: Policy[NetworkPolicy, Any]) -> None:
    assert findings(rule, by_a_user(generated("default-deny"))) == []


def test_but_not_all_that_an_administrator_may() -> None:
    users = by_a_user(generated("everything"))
    assert {rule.id for rule in RULES if findings(rule, users)} == {
        "baseline-cancelled",
        "np-allow-all",
        "np-any-namespace",
        "np-ipblock-cluster",
    }


CLIENT = Pods("shop", NAMESPACES["shop"], {"app": "web"}, ("10.244.1.9",))
DNS_POD = Pods("kube-system", NAMESPACES["kube-system"], {"k8s-app": "kube-dns"}, ("10.244.0.2",))
OTHER_POD = DNS_POD._replace(labels={"app": "other"}, ips=("10.244.0.3",))


@pytest.mark.parametrize("cilium", [False, True])
@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_the_default_one_gives_dns_and_nothing_else(protocol: str, cilium: bool) -> None:
    read = tuple(map(view, generated("default-deny")))

    def passes(target: Pods | External, port: int) -> bool:
        return allowed(read, Flow(CLIENT, target, protocol, port), ip_blocks_match_pods=not cilium)

    assert passes(DNS_POD, 53)
    assert passes(External("169.254.20.10"), 53)
    assert not passes(DNS_POD, 9153)
    assert not passes(OTHER_POD, 53)
    assert not passes(External("8.8.8.8"), 53)
    assert not allowed(read, Flow(OTHER_POD, CLIENT, protocol, 80))
