"""The health port: probes and the metrics that a scrape sees."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.server.clients import HOST_NETWORK_POD, Client, review
from tests.server.running import Running, running

Labels = dict[str, str]


def scrape(server: Running) -> dict[str, list[tuple[Labels, float]]]:
    client = Client(server.health)
    answer = client.ask("/metrics")
    client.close()
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def count(server: Running, **labels: str) -> float:
    """Of the reviews with these labels."""
    series = scrape(server).get("netreeve_admission_review_duration_seconds_count", [])
    return sum(value for found, value in series if labels.items() <= found.items())


def test_live_and_ready(server: Running) -> None:
    client = Client(server.health)
    assert [client.ask(path).status for path in ("/livez", "/readyz")] == [200, 200]
    assert client.ask("/readyz", method="HEAD").status == 200
    client.close()


def test_ready_names_what_is_missing_and_live_does_not_care(directory: Path) -> None:
    with running(directory) as server:
        known = {"synced": False}
        server.readiness.require("synced", lambda: known["synced"])
        client = Client(server.health)
        answer = client.ask("/readyz")
        assert (answer.status, answer.body) == (503, b"not synced\n")
        assert client.ask("/livez").status == 200
        known["synced"] = True
        assert client.ask("/readyz").status == 200
        client.close()


def test_reviews_are_not_answered_on_the_health_port(server: Running) -> None:
    client = Client(server.health)
    assert client.ask("/validate", review()).status == 404
    assert client.ask("/metrics", b"x" * 100_000).status == 405
    client.close()


def test_reviews_are_counted_by_what_they_were(server: Running, client: Client) -> None:
    kinds = [
        {"webhook": "validate", "operation": "CREATE", "resource": "pods", "allowed": "true"},
        {"webhook": "validate", "operation": "CREATE", "resource": "pods", "allowed": "false"},
        {"webhook": "mutate", "operation": "CREATE", "resource": "pods", "allowed": "true"},
    ]
    before = [count(server, **labels) for labels in kinds]
    client.ask("/validate", review())
    client.ask("/validate", review(HOST_NETWORK_POD))
    client.ask("/mutate", review())
    assert [count(server, **labels) for labels in kinds] == [value + 1 for value in before]


def test_subresources_and_groups_are_told_apart(server: Running, client: Client) -> None:
    pods = {"group": "", "version": "v1", "resource": "pods"}
    client.ask("/validate", review(operation="UPDATE", oldObject={}, resource=pods,
                                   subResource="ephemeralcontainers"))  # fmt: skip
    client.ask("/validate", review(resource={**pods, "group": "apps", "resource": "deployments"}))
    assert count(server, resource="pods/ephemeralcontainers") >= 1
    assert count(server, resource="deployments.apps") >= 1


def test_a_finding_is_counted_by_policy_and_action(server: Running, client: Client) -> None:
    client.ask("/validate", review(HOST_NETWORK_POD))
    findings = scrape(server)["netreeve_admission_findings_total"]
    assert any(
        labels == {"policy": "host-network", "action": "Deny"} and value >= 1
        for labels, value in findings
    )


def test_errors_and_patches_are_counted(server: Running, client: Client) -> None:
    client.ask("/nowhere", review())
    client.ask("/validate", b"{")
    client.ask("/mutate", review())
    found = scrape(server)
    errors = {labels["error"]: value for labels, value in found["netreeve_admission_errors_total"]}
    assert errors["path"] >= 1
    assert errors["review"] >= 1
    ((labels, patches),) = found["netreeve_admission_patches_total"]
    assert labels == {"webhook": "mutate"}
    assert patches >= 1


def test_labels_stay_few_whatever_a_peer_sends(server: Running, client: Client) -> None:
    client.ask("/validate", review())
    client.ask("/validate", review(operation="DELETE", oldObject={}, resource={
        "group": "first.example.com", "version": "v1", "resource": "things"}))  # fmt: skip
    before = len(scrape(server)["netreeve_admission_review_duration_seconds_count"])
    for number in range(200):
        name = f"x{number}"
        client.ask("/validate", review(
            operation="DELETE", oldObject={}, namespace=name, name=name, subResource=name,
            resource={"group": name, "version": name, "resource": name},
            userInfo={"username": name}))  # fmt: skip
        client.ask(f"/{name}", review(uid=name))
        client.ask("/validate", review(operation=name))
    text = server.metrics.render()[0].decode()
    assert len(scrape(server)["netreeve_admission_review_duration_seconds_count"]) == before
    assert count(server, resource="other", operation="DELETE") >= 200
    assert not re.search(r'"x\d+"', text)


def test_buckets_are_in_seconds_and_reach_below_the_api_servers(
    server: Running, client: Client
) -> None:
    client.ask("/validate", review())
    buckets = scrape(server)["netreeve_admission_review_duration_seconds_bucket"]
    bounds = sorted({float(labels["le"]) for labels, _ in buckets})
    assert (bounds[0], bounds[-2], bounds[-1]) == (0.0001, 10.0, float("inf"))
    sums = scrape(server)["netreeve_admission_review_duration_seconds_sum"]
    assert all(0 < value < 60 for _, value in sums)


def test_the_certificate_is_told(directory: Path) -> None:
    with running(directory) as server:
        found = scrape(server)
    ((_, seconds),) = found["netreeve_certificate_expiry_seconds"]
    assert 29 * 86400 < seconds <= 30 * 86400
    assert found["netreeve_certificate_reloads_total"] == [({"result": "success"}, 1.0)]
