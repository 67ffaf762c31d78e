"""How far a load balancer reaches: what counts for a provider, and advice that works."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.model import NOTHING_KNOWN, ClusterFacts
from policies.objects import ObjectMeta, Service, ServicePort, ServiceSpec
from policies.services.balancers import PROVIDERS, addressed
from policies.services.exposure import openings
from policies.services.fault import Fault
from policies.services.reach import Declared, fault

EVERY_KEY = sorted(set().union(*(provider.keys for provider in PROVIDERS.values())))
MARKED = {
    marker.key: marker.write
    for provider in PROVIDERS.values()
    for controller in provider.controllers
    for marker in controller.markers
}
VALUES = sorted({"true", "True", "false", "0", "", "public", "External", *MARKED.values()})


def asked(
    annotations: dict[str, str],
    declared: Declared = Declared(),  # noqa: B008 - frozen
    cluster: ClusterFacts = NOTHING_KNOWN,
    old: Service | None = None,
    **spec: Any,
) -> Fault | None:
    given = ServiceSpec(type="LoadBalancer", ports=[ServicePort(port=80)], **spec)
    service = Service(metadata=ObjectMeta(annotations=annotations), spec=given)
    return fault(given, annotations, openings(service), cluster, declared, old=old)


@pytest.mark.parametrize("name", sorted(set(PROVIDERS) - {"tailscale"}))
def test_to_follow_the_advice_makes_it_internal(name: str) -> None:
    found = asked({}, Declared(provider=name))
    assert found is not None
    advice = re.match(r"""set the annotation (\S+): (["'])(.+?)\2""", found.fix)
    if advice:
        assert asked({advice[1]: advice[3]}, Declared(provider=name)) is None
    else:
        assert name in ("metallb", "cilium", "linode", "vultr"), "every other cloud has a way"


@given(
    st.sampled_from(sorted(PROVIDERS)),
    st.dictionaries(st.sampled_from(EVERY_KEY), st.sampled_from(VALUES), max_size=6),
)
def test_only_its_own_annotations_open_or_close_a_known_provider(
    name: str, annotations: dict[str, str]
) -> None:
    own = {key: value for key, value in annotations.items() if key in PROVIDERS[name].keys}
    declared = Declared(provider=name)
    assert (asked(annotations, declared) is None) == (asked(own, declared) is None)


@given(st.dictionaries(st.sampled_from(EVERY_KEY), st.sampled_from(VALUES), max_size=6))
def test_offline_nothing_is_internal_that_some_provider_that_reads_it_makes_public(
    annotations: dict[str, str],
) -> None:
    if asked(annotations) is None:
        spoken_to = [
            name for name, one in PROVIDERS.items() if not one.keys.isdisjoint(annotations)
        ]
        assert spoken_to
        for name in set(spoken_to) - {"aws"}:  # of whose controllers the Service does not tell
            assert asked(annotations, Declared(provider=name)) is None


@pytest.mark.parametrize("key", sorted(key for key in MARKED if "oci-network" not in key))
def test_on_nodes_of_an_unknown_provider_no_annotation_counts(key: str) -> None:
    assert asked({key: MARKED[key]}) is None
    for nodes in ({"vsphere"}, {""}):
        unknown = ClusterFacts(providers=frozenset(nodes))
        assert asked({key: MARKED[key]}, cluster=unknown) is not None


def test_an_annotation_for_another_controller_of_the_same_cloud_is_explained() -> None:
    scheme = "service.beta.kubernetes.io/aws-load-balancer-scheme"
    found = asked({scheme: "internal"}, Declared(provider="aws"))
    assert found is not None
    assert found.field == f"metadata.annotations[{scheme}]"
    assert found.fix.startswith("use the class service.k8s.aws/nlb, or set the annotation ")
    assert asked({scheme: "internal"}, loadBalancerClass="service.k8s.aws/nlb") is None


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_what_annotations_begin_with_tells_one_provider(name: str) -> None:
    for key in (*PROVIDERS[name].keys, *(f"{one}x" for one in PROVIDERS[name].prefixes)):
        meant = addressed({key: "x"})
        assert meant in PROVIDERS[name].controllers, key
    assert PROVIDERS[name].prefixes


@pytest.mark.parametrize("name", sorted(set(PROVIDERS) - {"tailscale"}))
def test_whom_a_service_is_written_for_changes_the_advice_and_no_verdict(name: str) -> None:
    plain, meant = asked({}), asked({f"{PROVIDERS[name].prefixes[0]}x": "x"})
    assert plain is not None
    assert meant is not None
    assert (plain.field, plain.must, plain.opens) == (meant.field, meant.must, meant.opens)
    known = asked({}, Declared(provider=name))
    assert known is not None
    assert meant.fix == known.fix != plain.fix


def test_advice_for_an_existing_load_balancer_changes_nothing_that_cannot_be_changed() -> None:
    gke: dict[str, Any] = {"loadBalancerClass": "networking.gke.io/l4-regional-external"}
    for kind, verb in (("ClusterIP", "use"), ("LoadBalancer", "make a new Service with")):
        old = Service(metadata=ObjectMeta(), spec=ServiceSpec(type=kind, **gke))
        found = asked({}, old=old, **gke)
        assert found is not None
        assert found.fix.startswith(f"{verb} the class ")
        found = asked({}, old=old, loadBalancerClass="example.com/lb")
        assert found is not None
        assert found.fix.startswith(f"{verb} another class")
        found = asked({}, Declared(provider="digitalocean"), old=old)
        assert found is not None
        assert found.fix.startswith(f"{verb.replace('use', 'set')} the annotation ")


def test_a_tailnet_is_inside() -> None:
    assert asked({}, Declared(provider="tailscale")) is None


def test_an_external_class_is_told_the_internal_one() -> None:
    found = asked({}, loadBalancerClass="networking.gke.io/l4-regional-external")
    assert found is not None
    assert found.fix.startswith("use the class networking.gke.io/l4-regional-internal")


def test_source_ranges_of_one_cloud_do_not_excuse_another() -> None:
    both = ClusterFacts(providers=frozenset({"aws", "hcloud"}))
    ranges: dict[str, Any] = {"loadBalancerSourceRanges": ["203.0.113.0/24"]}
    assert asked({}, cluster=ClusterFacts(providers=frozenset({"aws"})), **ranges) is None
    found = asked({}, cluster=both, **ranges)
    assert found is not None
    assert "Hetzner Cloud is not known to enforce source ranges" in found.must
