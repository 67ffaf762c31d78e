"""A real API server takes every generated policy and gives it back; every source exists there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from kubernetes.client import ApiClient, CoreV1Api, NetworkingV1Api, V1Namespace, V1ObjectMeta

from policies.baseline import dns, objects
from policies.baseline.collect import Source, sources
from policies.baseline.config import Dns
from policies.baseline.facts import gather
from policies.baseline.objects import Namespace, Observed, is_as_wanted, is_covered
from tests.controlplane.cluster import ControlPlane
from tests.policies.baseline.given import Given, names

pytestmark = pytest.mark.cluster
MANAGER = "netreeve-control"


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> ApiClient:
    return control_plane.api_client()


@pytest.fixture
def shop(api: ApiClient) -> Iterator[Namespace]:
    """A namespace of its own, with the uid that the API server gave it."""
    core, name = CoreV1Api(api), f"shop-{uuid.uuid4().hex[:8]}"
    made = core.create_namespace(V1Namespace(metadata=V1ObjectMeta(name=name)))
    assert made.metadata
    assert made.metadata.uid
    yield Namespace(name, made.metadata.uid)
    core.delete_namespace(name)


def _apply(api: ApiClient, manifest: dict[str, Any]) -> None:
    NetworkingV1Api(api).patch_namespaced_network_policy(
        manifest["metadata"]["name"],
        manifest["metadata"]["namespace"],
        manifest,
        field_manager=MANAGER,
        field_validation="Strict",
        _content_type="application/apply-patch+yaml",
    )


def _observed(api: ApiClient, namespace: str) -> dict[str, tuple[str, Observed]]:
    """The policies of a namespace by name, as plain JSON, each with its resourceVersion."""
    list_them: Any = NetworkingV1Api(api).list_namespaced_network_policy
    answer = list_them(namespace, _preload_content=False)  # plain JSON: models would add nulls
    return {
        one["metadata"]["name"]: (one["metadata"]["resourceVersion"], _as_observed(one))
        for one in json.loads(answer.data)["items"]
    }


def _as_observed(manifest: dict[str, Any]) -> Observed:
    metadata = manifest["metadata"]
    return Observed(metadata["name"], metadata["labels"], metadata["annotations"], manifest["spec"])


@pytest.mark.parametrize("name", names())
def test_what_is_applied_comes_back_as_wanted(name: str, api: ApiClient, shop: Namespace) -> None:
    given = Given(name)
    plan, baseline = given.plan(), given.case.baseline
    for one in plan.generated:
        assert not is_covered(shop, [policy for _, policy in _observed(api, shop.name).values()])
        _apply(api, objects.manifest(one, shop, baseline))
    observed = _observed(api, shop.name)
    assert set(observed) == {one.name for one in plan.generated}
    for one in plan.generated:
        assert is_as_wanted(observed[one.name][1], one, shop, baseline)
    assert is_covered(shop, [policy for _, policy in observed.values()]) == bool(plan.generated)
    for one in plan.generated:
        _apply(api, objects.manifest(one, shop, baseline))
    assert _observed(api, shop.name) == observed


def _items(api: ApiClient, source: Source) -> list[Any]:
    """What the API server has at a source."""
    query = list(source.params.items())
    request = api.param_serialize("GET", source.path, query_params=query, auth_settings=[])
    response: Any = api.call_api(*request)
    answer = json.loads(response.read())
    assert response.status == 200, answer
    return [
        source.keep(msgspec.json.decode(msgspec.json.encode(one), type=source.view))
        for one in answer["items"]
    ]


def test_every_source_can_be_listed_and_tells_of_the_cluster(api: ApiClient) -> None:
    kept = (one for source in sources(dns.namespaces(Dns())) for one in _items(api, source))
    facts = gather(kept)
    kubernetes = facts.service("default", "kubernetes")
    assert kubernetes is not None
    assert kubernetes.addresses
    assert [(one.port, one.protocol) for one in kubernetes.ports] == [(443, "TCP")]
    (endpoints,) = facts.slices_of(kubernetes)
    assert endpoints.addresses
    assert endpoints.ports
    assert facts.nodes


def test_a_dns_service_made_now_is_found(api: ApiClient) -> None:
    """From an object as people write it, through the API server's defaults, to a rule."""
    core: Any = CoreV1Api(api)
    core.create_namespaced_service(
        "kube-system",
        {
            "metadata": {"name": "coredns"},
            "spec": {
                "selector": {"app": "coredns"},
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353},
                    {"name": "dns-tcp", "port": 53, "targetPort": 5353},
                ],
            },
        },
    )
    try:
        config = Dns()
        kept = [one for source in sources(dns.namespaces(config)) for one in _items(api, source)]
        (grant,) = dns.resolve(config, gather(kept)).grants
        assert [tuple(port) for port in grant.ports] == [("UDP", 5353), ("TCP", 5353)]
        assert grant.peers[0]["podSelector"] == {"matchLabels": {"app": "coredns"}}
    finally:
        core.delete_namespaced_service("coredns", "kube-system")
