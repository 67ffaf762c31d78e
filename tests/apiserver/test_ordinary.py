"""Nothing is blocked by accident: what a cluster does by itself, and what ordinary people create.

The webhooks of these tests are registered for every resource, subresource and operation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apiserver.gated import Gated, gated_cluster
from tests.controlplane.wait import wait_for

pytestmark = pytest.mark.cluster
GOOD = sorted((Path(__file__).parents[2] / "deploy" / "examples" / "good").rglob("*.yaml"))
EXPECTED = (
    # Internal load balancers of most clouds need these ports; the standard profile warns of them.
    "Warning: node-port: spec.allocateLoadBalancerNodePorts: ",
    # The Gateway API is not part of a bare API server; everything else of the samples is.
    "resource mapping not found for name: ",
    "ensure CRDs are installed first",
)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    """A control plane that is gated before its controllers have started for the first time."""
    with gated_cluster(tmp_path_factory.mktemp("watched")) as cluster:
        cluster.register(everything=True)
        cluster.control_plane.start_controller_manager()
        cluster.control_plane.start_scheduler()
        for namespace in namespaces():
            manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            cluster.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
        wait_for(
            lambda: len(cluster.get("serviceaccounts", "-A")["items"]) > len(namespaces()) + 2,
            20,
            "the default ServiceAccounts",
        )
        yield cluster


def namespaces() -> set[str]:
    """Those that the samples are in."""
    documents = (one for path in GOOD for one in yaml.safe_load_all(path.read_text()) if one)
    return {one["metadata"].get("namespace", "default") for one in documents} - {"default"}


def refusals(cluster: Gated) -> list[tuple[str, Any, str]]:
    """Every request that admission refused, by the audit log, but for the marker's."""
    return [
        (event["verb"], event.get("objectRef"), message)
        for event in cluster.control_plane.audit_events()
        if "admission webhook" in (message := event.get("responseStatus", {}).get("message", ""))
        and event.get("objectRef", {}).get("name") != "marker"
    ]


def test_a_cluster_boots_through_the_gate(watched: Gated) -> None:
    slices = watched.get("endpointslices", "-n", "default")["items"]
    assert [one["metadata"]["name"] for one in slices] == ["kubernetes"]
    assert refusals(watched) == []


@pytest.mark.parametrize("manifest", GOOD, ids=lambda path: path.name)
def test_the_good_samples_are_accepted(watched: Gated, manifest: Path) -> None:
    result = watched.kubectl("apply", "-f", manifest, check=False)
    said = [line for line in result.stderr.splitlines() if not line.startswith(EXPECTED)]
    assert said == []
    if manifest.name.startswith(("internal-", "public-")):  # they all have the same name
        watched.kubectl("delete", "--wait=false", "-f", manifest)


def test_the_controllers_were_not_refused_either(watched: Gated) -> None:
    # Only now: the samples are of many clouds, and a node would tell which one this is.
    watched.control_plane.add_node("node-1")

    wait_for(lambda: len(watched.bound("shop")) > 1, 30, "pods of the shop on a node")
    assert refusals(watched) == []
