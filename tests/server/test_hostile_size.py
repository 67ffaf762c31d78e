"""Objects as large as the API server lets through, made to be as costly as can be."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.server.clients import Client, review
from webhook.admission.asking import MOST_FINDINGS

SECONDS = 5.0
"""Far above what it takes, on a busy machine too."""

SERVICES = {"group": "", "version": "v1", "resource": "services"}
PODS = {"group": "", "version": "v1", "resource": "pods"}
MANY = 100_000
HOSTILE = {
    "external IPs": ({"externalIPs": ["192.0.2.1"] * MANY}, SERVICES),
    "node ports": ({"type": "NodePort", "ports": [{"nodePort": 30000}] * MANY}, SERVICES),
    "capabilities": (
        {"containers": [{"securityContext": {"capabilities": {"add": ["NET_ADMIN"] * MANY}}}]},
        PODS,
    ),
    "host ports": ({"containers": [{"ports": [{"hostPort": 1}] * MANY}]}, PODS),
    "containers": ({"containers": [{"name": "a"}] * MANY}, PODS),
}


def test_more_than_any_real_service_needs_is_not_judged_at_all(client: Client) -> None:
    """An annotation of commas took seconds to look through."""
    ranges = {"service.beta.kubernetes.io/load-balancer-source-ranges": "," * 2_900_000}
    obj = {"metadata": {"annotations": ranges}, "spec": {"type": "LoadBalancer"}}
    started = time.monotonic()
    answer = client.ask("/validate", review(obj, resource=SERVICES)).review
    assert time.monotonic() - started < 1
    assert not answer["allowed"]
    assert "at most 512 KiB" in answer["status"]["message"]


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_object_does_not_keep_others_waiting(
    client: Client, name: str, operation: str
) -> None:
    spec, resource = HOSTILE[name]
    obj: dict[str, Any] = {"spec": spec}
    old = obj if operation == "UPDATE" else None
    body = review(obj, oldObject=old, operation=operation, resource=resource)
    started = time.monotonic()
    answer = client.ask("/validate", body)
    assert time.monotonic() - started < SECONDS
    assert answer.status == 200
    assert len(answer.body) < 50_000


def test_beyond_the_most_findings_only_what_is_unchanged_is_forgiven(client: Client) -> None:
    """Else new violations could hide behind a thousand old ones."""

    def denied(old: int, new: int) -> bool:
        before = {"spec": {"externalIPs": [f"192.0.2.{n % 250}" for n in range(old)]}}
        after = {"spec": {"externalIPs": [f"192.0.2.{n % 250}" for n in range(new)]}}
        asked = review(after, oldObject=before, operation="UPDATE", resource=SERVICES)
        return not client.ask("/validate", asked).review["allowed"]

    assert not denied(MOST_FINDINGS, MOST_FINDINGS)
    assert not denied(MOST_FINDINGS + 1, MOST_FINDINGS + 1)
    assert denied(MOST_FINDINGS + 1, MOST_FINDINGS + 2)
    assert denied(MOST_FINDINGS, MOST_FINDINGS + 1)
