"""What is kept of an object, which objects that are, and that their order does not matter."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.baseline import views
from policies.baseline.cni import TABLE as CNIS
from policies.baseline.collect import (
    CONFIG_MAPS,
    NODE_MARKS,
    keep_daemon_set,
    keep_node,
    keep_service,
    keep_slice,
    sources,
)
from policies.baseline.config import BaselineConfig, Dns, DnsService
from policies.baseline.dns import TABLE as DNS
from policies.baseline.dns import namespaces
from policies.baseline.facts import DaemonSet, EndpointPort, Node, ServicePort, gather
from tests.policies.baseline.given import Given, collected, names


def _view(view: type[Any], **fields: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode({"metadata": {}, **fields}), type=view)


def test_every_source_is_one_place_of_the_api() -> None:
    found = sources(namespaces(Dns()))
    places = [(one.path, tuple(one.params.items())) for one in found]
    assert len(set(places)) == len(places)
    assert set(places) == {
        ("/api/v1/nodes", ()),
        ("/apis/apps/v1/daemonsets", ()),
        (
            "/api/v1/namespaces/kube-system/configmaps",
            (("fieldSelector", "metadata.name=cilium-config"),),
        ),
        (
            "/api/v1/namespaces/kube-system/configmaps",
            (("fieldSelector", "metadata.name=amazon-vpc-cni"),),
        ),
        (
            "/api/v1/namespaces/default/services",
            (("fieldSelector", "metadata.name=kubernetes"),),
        ),
        (
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            (("labelSelector", "kubernetes.io/service-name=kubernetes"),),
        ),
        ("/api/v1/namespaces/kube-system/services", ()),
        ("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", ()),
        ("/api/v1/namespaces/openshift-dns/services", ()),
        ("/apis/discovery.k8s.io/v1/namespaces/openshift-dns/endpointslices", ()),
    }


def test_configured_services_are_looked_for_where_they_are() -> None:
    config = Dns(services=(DnsService("default", "dns"), DnsService("platform", "dns")))
    places = {one.namespace: one.name for one in sources(namespaces(config)) if one.namespace}
    assert places == {"default": "", "platform": "", "kube-system": "amazon-vpc-cni"}


def test_what_the_tables_ask_for_is_collected() -> None:
    whens = [when for one in CNIS.cnis for when in one.when]
    asked = {when.configMap for when in whens if when.configMap}
    assert asked == {f"{namespace}/{name}" for namespace, name in CONFIG_MAPS}
    of_nodes = [
        *(one.labels for one in CNIS.nodes),
        *(one.node for one in DNS.resolvers),
        *(one.node for one in CNIS.cnis),
    ]
    assert {key for labels in of_nodes for key in labels} == NODE_MARKS


@pytest.mark.parametrize("view", sorted({one.view for one in sources(["x"])}, key=str))
def test_a_bookmark_is_read_as_any_object(view: type[views.Observed]) -> None:
    bookmark = b'{"kind": "Any", "metadata": {"resourceVersion": "7", "creationTimestamp": null}}'
    found = msgspec.json.decode(bookmark, type=view)
    assert found.metadata.resourceVersion == "7"


def test_a_heartbeat_changes_nothing() -> None:
    def node(version: str, time: str) -> Any:
        return _view(
            views.Node,
            metadata={
                "name": "a",
                "resourceVersion": version,
                "labels": {"eks.amazonaws.com/compute-type": "auto", "zone": time},
            },
            status={"conditions": [{"type": "Ready", "lastHeartbeatTime": time}]},
        )

    assert keep_node(node("1", "10:00")) == keep_node(node("2", "10:05"))
    assert keep_node(node("1", "10:00")).labels == {"eks.amazonaws.com/compute-type": "auto"}


def test_a_node_tells_its_provider_addresses_and_command_line() -> None:
    found = keep_node(
        _view(
            views.Node,
            metadata={"name": "a", "annotations": {"k3s.io/node-args": '["server","--x"]'}},
            spec={"providerID": "aws:///eu-west-1a/i-0"},
            status={
                "addresses": [
                    {"type": "InternalIP", "address": "10.0.0.1"},
                    {"type": "InternalIP", "address": "FD00:0::1"},
                    {"type": "ExternalIP", "address": "nonsense"},
                    {"type": "Hostname", "address": "10.9.9.9"},
                ],
                "nodeInfo": {"kubeletVersion": "v1.36.0", "operatingSystem": "linux"},
            },
        )
    )
    assert found == Node("aws", "v1.36.0", "linux", ("10.0.0.1", "fd00::1"), {}, ("server", "--x"))


@pytest.mark.parametrize("annotation", ["", "{", "null", '"x"', "[1]", "\x00"])
def test_an_annotation_that_is_no_command_line_is_none(annotation: str) -> None:
    metadata = {"name": "a", "annotations": {"k3s.io/node-args": annotation}}
    assert keep_node(_view(views.Node, metadata=metadata)) == Node()


def test_a_headless_service_has_no_address() -> None:
    spec = {"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 53}, {"name": "x"}]}
    found = keep_service(_view(views.Service, spec=spec))
    assert found.addresses == ()
    assert found.ports == (ServicePort("", "TCP", 53, 53),)


def test_an_endpoint_slice_keeps_addresses_once_and_ports_with_numbers() -> None:
    found = keep_slice(
        _view(
            views.EndpointSlice,
            metadata={"labels": {"kubernetes.io/service-name": "dns"}},
            endpoints=[{"addresses": ["10.0.0.2"]}, {"addresses": ["10.0.0.2"]}, {}],
            ports=[{"name": "dns", "protocol": "UDP", "port": 53}, {"name": None, "port": None}],
        )
    )
    assert (found.service, found.addresses) == ("dns", ("10.0.0.2",))
    assert found.ports == (EndpointPort("dns", "UDP", 53),)


@pytest.mark.parametrize(("scheduled", "runs"), [(None, True), (0, False), (1, True)])
def test_a_daemon_set_without_nodes_does_not_run(scheduled: int | None, runs: bool) -> None:
    status = {} if scheduled is None else {"status": {"desiredNumberScheduled": scheduled}}
    found = keep_daemon_set(_view(views.DaemonSet, **status))
    assert found == DaemonSet("", "", {}, False, (), runs)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(names()))
def test_the_order_of_learning_changes_nothing(data: st.DataObject, name: str) -> None:
    case = Given(name)
    kept = data.draw(st.permutations(case.kept()))
    assert gather(kept, namespaces=case.case.namespaces, groups=case.case.groups) == case.facts()


def test_objects_that_no_source_selects_are_not_seen() -> None:
    """The golden files rest on `collected`, which must not hand over what nobody collects."""
    case = Given("none-found")
    assert {(one["kind"], one["metadata"]["namespace"]) for one in case.manifests} > {
        ("Service", "bank"),
        ("Pod", "bank"),
    }
    kept = list(collected(case.manifests, BaselineConfig()))
    assert {type(one).__name__ for one in kept} == {"Service", "EndpointSlice", "DaemonSet"}
    assert all(getattr(one, "namespace", "") != "bank" for one in kept if not _is_daemon_set(one))


def _is_daemon_set(one: object) -> bool:
    return isinstance(one, DaemonSet)
