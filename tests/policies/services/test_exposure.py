"""The one list of openings, with the paths at which Kubernetes has them."""

from __future__ import annotations

from typing import Any

import msgspec

from policies.objects import Service
from policies.services.balancers import ADDRESSES
from policies.services.exposure import Kind, Opening, openings
from policies.services.lengths import MOST_ENTRIES


def service(status: Any = None, annotations: Any = None, **spec: Any) -> Service:
    value = {"metadata": {"annotations": annotations}, "spec": spec, "status": status}
    return msgspec.convert(value, Service)


def listed(found: tuple[Opening, ...]) -> list[tuple[Kind, str, int | None, str]]:
    return [(one.kind, one.field, one.number, one.value) for one in found]


def test_a_plain_service_has_none() -> None:
    assert openings(service(ports=[{"port": 80}])) == ()
    assert openings(service(type="ClusterIP", clusterIP="None", ports=[{"port": 80}])) == ()
    assert openings(Service()) == ()


def test_everything_that_a_load_balancer_opens_in_the_order_of_the_fields() -> None:
    found = openings(
        service(
            type="LoadBalancer",
            clusterIP="10.96.0.7",
            ports=[{"port": 80, "nodePort": 30080}, {"port": 443, "nodePort": 30443}],
            externalTrafficPolicy="Local",
            healthCheckNodePort=32000,
            externalIPs=["203.0.113.9"],
            loadBalancerIP="198.51.100.7",
            loadBalancerSourceRanges=["192.0.2.0/24", "2001:db8::/32"],
            status={"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}, {"hostname": "lb"}]}},
        )
    )
    assert listed(found) == [
        (Kind.ALLOCATED_NODE_PORT, "spec.ports[0].nodePort", 30080, ""),
        (Kind.ALLOCATED_NODE_PORT, "spec.ports[1].nodePort", 30443, ""),
        (Kind.HEALTH_CHECK_PORT, "spec.healthCheckNodePort", 32000, ""),
        (Kind.EXTERNAL_IP, "spec.externalIPs[0]", None, "203.0.113.9"),
        (Kind.LOAD_BALANCER, "spec.ports[0].port", None, ""),
        (Kind.LOAD_BALANCER, "spec.ports[1].port", None, ""),
        (Kind.LOAD_BALANCER_ADDRESS, "spec.loadBalancerIP", None, "198.51.100.7"),
        (Kind.SOURCE_RANGE, "spec.loadBalancerSourceRanges[0]", None, "192.0.2.0/24"),
        (Kind.SOURCE_RANGE, "spec.loadBalancerSourceRanges[1]", None, "2001:db8::/32"),
        (Kind.LOAD_BALANCER_ADDRESS, "status.loadBalancer.ingress[0].ip", None, "198.51.100.7"),
        (Kind.LOAD_BALANCER_ADDRESS, "status.loadBalancer.ingress[1].hostname", None, "lb"),
    ]


def test_behind_the_api_server_the_number_of_a_load_balancer_may_be_anybodys() -> None:
    ports = [{"port": 80, "nodePort": 30080}]
    (seen, _) = openings(service(type="LoadBalancer", clusterIP="10.96.0.7", ports=ports))
    (written, _) = openings(service(type="LoadBalancer", ports=ports))
    assert (seen.kind, seen.allocated) == (Kind.ALLOCATED_NODE_PORT, True)
    assert (written.kind, written.allocated) == (Kind.NODE_PORT, False)


def test_what_is_not_allocated_yet_has_no_number() -> None:
    node_port, _ = openings(service(type="LoadBalancer", ports=[{"port": 80}]))
    assert (node_port.kind, node_port.number) == (Kind.ALLOCATED_NODE_PORT, None)
    (node_port,) = openings(service(type="NodePort", ports=[{"port": 80}]))
    assert (node_port.kind, node_port.number) == (Kind.NODE_PORT, None)


def test_without_allocation_only_chosen_ports_are_open() -> None:
    found = openings(
        service(
            type="LoadBalancer",
            allocateLoadBalancerNodePorts=False,
            clusterIP="10.96.0.7",
            ports=[{"port": 80}, {"port": 443, "nodePort": 30443}],
        )
    )
    assert [one.field for one in found if one.kind is Kind.NODE_PORT] == ["spec.ports[1].nodePort"]
    assert not any(one.kind is Kind.ALLOCATED_NODE_PORT for one in found)


def test_annotations_give_source_ranges_where_the_field_is_empty() -> None:
    key = "service.beta.kubernetes.io/load-balancer-source-ranges"
    annotations = {key: "192.0.2.0/24, 198.51.100.0/24"}
    found = openings(service(type="LoadBalancer", ports=[], annotations=annotations))
    ranges = [one for one in found if one.kind is Kind.SOURCE_RANGE]
    assert [one.value for one in ranges] == ["192.0.2.0/24", " 198.51.100.0/24"]
    assert {one.field for one in ranges} == {f"metadata.annotations[{key}]"}
    found = openings(
        service(
            type="LoadBalancer",
            loadBalancerSourceRanges=["0.0.0.0/0"],
            annotations=annotations,
        )
    )
    assert [one.value for one in found if one.kind is Kind.SOURCE_RANGE] == ["0.0.0.0/0"]


def test_a_load_balancer_without_ports_is_still_one() -> None:
    (opening,) = openings(service(type="LoadBalancer", allocateLoadBalancerNodePorts=False))
    assert (opening.kind, opening.field, opening.port) == (Kind.LOAD_BALANCER, "spec.ports", None)


def test_an_annotation_alone_can_ask_for_a_load_balancer() -> None:
    annotations = {"service.beta.kubernetes.io/aws-load-balancer-type": "external"}
    (opening,) = openings(service(ports=[{"port": 80}], annotations=annotations))
    assert opening.kind is Kind.LOAD_BALANCER
    annotations = {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}
    assert openings(service(ports=[{"port": 80}], annotations=annotations)) == ()


def test_empty_entries_of_an_annotation_hide_no_address_behind_them() -> None:
    key = ADDRESSES[0]
    hiding = service(annotations={key: "," * 5000 + "192.0.2.1"}, type="LoadBalancer")
    found = [one for one in openings(hiding) if one.kind is Kind.EXTERNAL_IP]
    assert len(found) > MOST_ENTRIES
