"""The table of load balancers is consistent, and read as its head says."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from policies.namespaces.meshes import is_off_limits
from policies.objects import ServiceSpec
from policies.services.balancers import (
    PROVIDERS,
    TABLE,
    Controller,
    Marker,
    anywhere,
    detect,
    of_class,
    reaches_pods,
    says,
)

CONTROLLERS = [one for provider in PROVIDERS.values() for one in provider.controllers]
AWS = "service.beta.kubernetes.io/aws-load-balancer-"
every_controller = pytest.mark.parametrize("controller", CONTROLLERS, ids=lambda one: one.title)


@every_controller
def test_every_controller_has_a_source_and_markers_that_can_say_both(
    controller: Controller,
) -> None:
    assert controller.source
    for marker in controller.markers:
        assert bool(marker.internal) + bool(marker.public) + marker.parseBool == 1
        assert marker.says_internal(marker.write), "the advice must work"
        assert not all(map(marker.says_internal, ("", "false", "public", "External")))


@every_controller
def test_what_a_controller_is_told_to_write_makes_it_internal(controller: Controller) -> None:
    for marker in controller.markers:
        said = says(controller, {marker.key: marker.write})
        assert (said.internal, said.key, said.known) == (True, marker.key, True)


@every_controller
def test_an_override_hides_every_marker(controller: Controller) -> None:
    for key in controller.overrides:
        annotations = {one.key: one.write for one in controller.markers} | {key: "x"}
        said = says(controller, annotations)
        assert (said.internal, said.key, said.known) == (False, key, False)


def test_classes_and_nodes_belong_to_one_each() -> None:
    classes = Counter(name for one in CONTROLLERS for name in one.classes)
    nodes = Counter(node for provider in PROVIDERS.values() for node in provider.nodes)
    assert not [name for name, count in (classes + nodes).items() if count > 1]
    assert all(of_class(name) for name in classes)
    assert of_class("example.com/none") is None


def test_the_last_controller_of_a_provider_takes_what_no_other_does() -> None:
    for provider in PROVIDERS.values():
        last = provider.controllers[-1]
        assert provider.controller({}) is last
        for one in provider.controllers[:-1]:
            assert one.classes or one.select, f"{one.title} would never be chosen"


def test_a_class_of_another_provider_is_unknown_to_a_given_one() -> None:
    assert of_class("service.k8s.aws/nlb", PROVIDERS["aws"]) is not None
    assert of_class("service.k8s.aws/nlb", PROVIDERS["gce"]) is None


@pytest.mark.parametrize(
    ("value", "internal"),
    [("true", True), ("True", True), ("0", True), ("no", True), ("false", False), ("", False)],
)
def test_aws_cloud_provider_takes_any_text_but_false(value: str, internal: bool) -> None:
    controller = PROVIDERS["aws"].controller({})
    assert says(controller, {f"{AWS}internal": value}).internal is internal


@pytest.mark.parametrize(
    ("value", "internal"),
    [("true", True), ("T", True), ("1", True), ("tRUE", False), ("yes", False), ("", False)],
)
def test_parse_bool_is_gos(value: str, internal: bool) -> None:
    assert Marker(key="x", parseBool=True).says_internal(value) is internal


def test_the_type_annotation_chooses_between_the_controllers_of_aws() -> None:
    aws = PROVIDERS["aws"]
    titles = {
        value: aws.controller({f"{AWS}type": value}).title
        for value in ("external", "nlb-ip", "nlb", "External", "")
    }
    assert titles == {
        "external": "AWS Load Balancer Controller",
        "nlb-ip": "AWS Load Balancer Controller",
        "nlb": "AWS cloud provider",
        "External": "AWS cloud provider",
        "": "AWS cloud provider",
    }


@pytest.mark.parametrize("value", ["0.0.0.0/0", "yes", "no", "tRUE", ""])
def test_a_controller_that_refuses_a_value_makes_no_load_balancer(value: str) -> None:
    possible = PROVIDERS["aws"].possible({f"{AWS}internal": value})
    assert "AWS Load Balancer Controller" not in [one.title for one in possible]
    assert possible[-1].title == "AWS cloud provider"


@pytest.mark.parametrize(
    ("value", "internal"),
    [
        ('{"type":"inner"}', True),
        ('{"name": "a", "type": "inner", "available_zone": ["x"]}', True),
        ('{"type":"public"}', False),
        ('{"type":"Inner"}', False),
        ('{"type":["inner"]}', False),
        ('{"type":null}', False),
        ('["inner"]', False),
        ('"inner"', False),
        ("inner", False),
        ("", False),
        ("{", False),
        ("[" * 100_000, False),
        ('{"type":"inner\ud800"}', False),
    ],
)
def test_a_field_of_json(value: str, internal: bool) -> None:
    marker = PROVIDERS["huawei"].controllers[0].markers[0]
    assert marker.says_internal(value) is internal


def test_nodes_tell_the_provider() -> None:
    assert detect({"aws"}) == (PROVIDERS["aws"],)
    assert detect({"ocid1.instance.oc1.iad.abc"}) == (PROVIDERS["oci"],)
    assert detect({"gce", "azure", "kind"}) == (PROVIDERS["azure"], PROVIDERS["gce"])
    assert detect({"", "kind", "awsome"}) == ()


@pytest.mark.parametrize(
    ("annotations", "name", "direct"),
    [
        ({f"{AWS}nlb-target-type": "ip", f"{AWS}type": "external"}, None, True),
        ({f"{AWS}nlb-target-type": "ip"}, None, True),
        ({f"{AWS}nlb-target-type": "ip"}, "service.k8s.aws/nlb", True),
        ({f"{AWS}type": "nlb-ip"}, None, True),
        ({f"{AWS}nlb-target-type": "instance", f"{AWS}type": "external"}, None, False),
        ({f"{AWS}nlb-target-type": "ip", f"{AWS}type": "nlb"}, None, False),
        ({f"{AWS}nlb-target-type": "ip"}, "example.com/other", False),
        ({f"{AWS}scheme": "internal"}, "service.k8s.aws/nlb", False),
        ({}, None, False),
    ],
)
def test_who_reaches_pods_needs_no_node_ports(
    annotations: dict[str, str], name: str | None, direct: bool
) -> None:
    assert reaches_pods(ServiceSpec(loadBalancerClass=name), annotations) is direct


def test_with_no_provider_known_only_what_was_asked_for_speaks() -> None:
    assert list(anywhere({})) == []
    assert list(anywhere({"example.com/x": "y"})) == []
    assert [one.internal for one in anywhere({f"{AWS}type": "external"})] == [True]
    assert [one.internal for one in anywhere({f"{AWS}type": "nlb"})] == [False]
    assert [one.internal for one in anywhere({f"{AWS}internal": "true"})] == [True, True]


def test_status_writers_have_names_and_sources() -> None:
    names = [one.name for one in TABLE.statusWriters]
    assert len(names) == len(set(names))
    assert all(one.source for one in TABLE.statusWriters)
    assert not {"system:masters", "system:authenticated", "system:serviceaccounts"} & set(names)


def test_whoever_makes_load_balancers_in_the_cluster_may_write_their_status() -> None:
    in_cluster = {name for name, one in PROVIDERS.items() if one.inCluster}
    assert in_cluster == {one.provider for one in TABLE.statusWriters if one.provider}
    assert in_cluster >= {"metallb", "cilium", "tailscale"}


def test_of_users_only_service_accounts_are_named_for_what_runs_in_the_cluster() -> None:
    for one in TABLE.statusWriters:
        if one.provider:
            assert re.fullmatch("system:serviceaccount:[a-z-]+:[a-z-]+", one.name)


def test_nobody_becomes_a_trusted_writer_by_creating_its_namespace() -> None:
    """Creating one of these takes a right, where the gate is not asked and where it is."""
    accounts = [
        one.name.split(":") for one in TABLE.statusWriters if ":serviceaccount:" in one.name
    ]
    assert [namespace for *_, namespace, _ in accounts if not is_off_limits(namespace)] == []
    assert accounts
