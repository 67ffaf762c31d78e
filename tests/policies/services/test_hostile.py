"""Whatever can be decoded is judged: no policy raises, changes its subject or is cut short."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeAlias

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from policies.model import CREATE, ClusterFacts, Request, User
from policies.objects import Endpoints, EndpointSlice, Object, Service
from policies.services import (
    endpoint_slices,
    external_ips,
    external_name,
    load_balancer,
    node_port,
)
from policies.services.balancers import PROVIDERS

KEYS = sorted(set().union(*(provider.keys for provider in PROVIDERS.values())))
CLASSES = sorted(
    name
    for provider in PROVIDERS.values()
    for controller in provider.controllers
    for name in controller.classes
)
HOSTS = [
    "127.0.0.1", "127.1", "0x7f000001", "[::1]", "::ffff:0:0", "::", "0.0.0.0/0", "::/0",
    "10.0.0.0/8", "fe80::1%a/b", "1/1/1", "localhost.", "a.b.svc.cluster.local", ".svc", "svc",
    "cluster.local", ".", "..", "", " ", "\x00", "\uff11.0.0.1", "9" * 400, "-", "/",
    "0.0.0.0/-1",
]  # fmt: skip
Strategy: TypeAlias = st.SearchStrategy[Any]
text: Strategy = st.sampled_from(HOSTS) | st.text(max_size=12)
number: Strategy = st.sampled_from([0, -1, 22, 80, 6379, 30080, 65536, 2**63]) | st.integers()


def maybe(value: Strategy) -> Strategy:
    return st.none() | value


ports: Strategy = st.fixed_dictionaries(
    {},
    optional={
        "port": maybe(number),
        "nodePort": maybe(number),
        "targetPort": maybe(number | text),
        "protocol": maybe(st.sampled_from(["TCP", "UDP", ""]) | text),
    },
)
spec: Strategy = st.fixed_dictionaries(
    {},
    optional={
        "type": maybe(st.sampled_from(["NodePort", "LoadBalancer", "ExternalName"]) | text),
        "ports": maybe(st.lists(ports, max_size=3)),
        "clusterIP": maybe(text),
        "ipFamilies": maybe(st.lists(st.sampled_from(["IPv4", "IPv6", "x"]), max_size=3)),
        "ipFamilyPolicy": maybe(text),
        "externalIPs": maybe(st.lists(text, max_size=3)),
        "externalName": maybe(text),
        "externalTrafficPolicy": maybe(st.just("Local") | text),
        "healthCheckNodePort": maybe(number),
        "allocateLoadBalancerNodePorts": maybe(st.booleans()),
        "loadBalancerClass": maybe(st.sampled_from(CLASSES) | text),
        "loadBalancerIP": maybe(text),
        "loadBalancerSourceRanges": maybe(st.lists(text, max_size=3)),
    },
)
ingress: Strategy = st.fixed_dictionaries({}, optional={"ip": maybe(text), "hostname": maybe(text)})
status: Strategy = st.fixed_dictionaries({"ingress": maybe(st.lists(ingress, max_size=2))})
marked: Strategy = st.dictionaries(
    st.sampled_from(KEYS) | text,
    st.sampled_from(["true", "internal", "external"]) | text,
    max_size=4,
)
services: Strategy = st.fixed_dictionaries(
    {},
    optional={
        "metadata": maybe(st.fixed_dictionaries({"annotations": maybe(marked)})),
        "spec": maybe(spec),
        "status": maybe(st.fixed_dictionaries({"loadBalancer": maybe(status)})),
    },
)
slices: Strategy = st.fixed_dictionaries(
    {"addressType": maybe(st.sampled_from(["IPv4", "IPv6", "FQDN"]) | text)},
    optional={
        "endpoints": maybe(
            st.lists(st.fixed_dictionaries({"addresses": maybe(st.lists(text, max_size=3))}))
        )
    },
)
address: Strategy = st.fixed_dictionaries({"ip": maybe(text)})
subset: Strategy = st.fixed_dictionaries(
    {}, optional={name: maybe(st.lists(address)) for name in ("addresses", "notReadyAddresses")}
)
endpoints: Strategy = st.fixed_dictionaries(
    {}, optional={"subsets": maybe(st.lists(subset, max_size=2))}
)
facts = st.builds(
    ClusterFacts,
    providers=st.frozensets(st.sampled_from(["aws", "gce", "oci", "kind", ""]), max_size=2),
    nodeAddresses=st.just(frozenset({"10.0.0.4"})),
)


def judge(policies: list[Any], subject: Object, request: Request) -> None:
    before = deepcopy(subject)
    for policy in policies:
        for found in policy.validate(subject, request, policy.params()):
            assert found.field
            assert found.message.startswith("must ")
            assert found.fix
            assert all(found.keys)
    assert subject == before


@given(services, facts, st.sampled_from(["", "status"]))
def test_services(value: Any, cluster: ClusterFacts, subresource: str) -> None:
    policies = [one.POLICY for one in (external_ips, external_name, load_balancer, node_port)]
    request = Request(
        operation=CREATE,
        group="",
        resource="services",
        subresource=subresource,
        namespace="shop",
        user=User("jane"),
        cluster=cluster,
    )
    judge(policies, msgspec.convert(value, Service), request)


@given(slices, facts)
def test_endpoint_slices(value: Any, cluster: ClusterFacts) -> None:
    request = Request(
        operation=CREATE, group="discovery.k8s.io", resource="endpointslices", cluster=cluster
    )
    judge([endpoint_slices.POLICY], msgspec.convert(value, EndpointSlice), request)


@given(endpoints, facts)
def test_endpoints(value: Any, cluster: ClusterFacts) -> None:
    request = Request(operation=CREATE, group="", resource="endpoints", cluster=cluster)
    judge([endpoint_slices.POLICY], msgspec.convert(value, Endpoints), request)
