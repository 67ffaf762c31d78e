"""The webhook configurations that the chart hands to the controller: what is sent, what never."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from policies import catalogue
from policies.labels import NAME_LABEL
from policies.model import CREATE, DELETE, UPDATE, User
from policies.services.endpoint_slices import Params as EndpointSlices
from tests.helm.render import Object, objects, webhooks
from webhook.config.registration import CLUSTER_SCOPED, registered
from webhook.config.schema import ALWAYS_EXCLUDED
from webhook.doctor.matching import Served, match
from webhook.doctor.requests import Request
from webhook.doctor.rescue import rescues
from webhook.doctor.views import Configuration

pytestmark = pytest.mark.cluster  # Helm is built with the control plane
ROLLOUT = {"group": "argoproj.io", "resource": "rollouts", "kind": "R", "path": "spec.template"}
NEVER = {
    ("", "nodes"), ("", "nodes/status"), ("", "nodes/proxy"), ("coordination.k8s.io", "leases"),
    ("certificates.k8s.io", "certificatesigningrequests"),
    ("certificates.k8s.io", "certificatesigningrequests/approval"),
    ("authentication.k8s.io", "tokenreviews"), ("authentication.k8s.io", "selfsubjectreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("", "pods/binding"), ("", "bindings"), ("", "pods/eviction"), ("", "pods/status"),
    ("", "pods/exec"), ("", "namespaces/finalize"), ("", "namespaces/status"), ("", "events"),
    ("events.k8s.io", "events"), ("", "serviceaccounts/token"), ("", "secrets"),
    ("", "configmaps"), ("storage.k8s.io", "csinodes"), ("storage.k8s.io", "volumeattachments"),
    ("apiregistration.k8s.io", "apiservices"), ("rbac.authorization.k8s.io", "clusterroles"),
    ("scheduling.k8s.io", "priorityclasses"), ("policy", "poddisruptionbudgets"),
}  # fmt: skip
"""Without these no node joins, nobody leads, nothing is scheduled and nobody repairs."""


@pytest.fixture(scope="module", params=["audit", "enforce"])
def rendered(request: pytest.FixtureRequest) -> list[Object]:
    return objects({"stage": request.param}, namespace="gate")


@pytest.fixture(scope="module")
def enforcing() -> list[Object]:
    return objects({"stage": "enforce"}, namespace="gate")


def sent(configuration: Object) -> set[tuple[str, str, str, str]]:
    """(operation, group, resource, scope), one for each; a star anywhere fails the test."""
    found = set()
    for webhook in configuration["webhooks"]:
        for rule in webhook["rules"]:
            assert rule["apiVersions"] == ["v1"]
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    assert "*" not in group + resource
                    found |= {(one, group, resource, rule["scope"]) for one in rule["operations"]}
    return found


def wanted(path: str) -> set[tuple[str, str, str, str]]:
    rules = getattr(registered(catalogue()), path)
    return {
        (
            operation,
            rule.group,
            rule.resource,
            "Cluster" if (rule.group, rule.resource) in CLUSTER_SCOPED else "Namespaced",
        )
        for rule in rules
        for operation in rule.operations
    }


@pytest.mark.parametrize("path", ["mutating", "validating"])
class TestEachPath:
    def test_what_policies_judge_is_sent_and_nothing_more(
        self, rendered: list[Object], path: str
    ) -> None:
        assert sent(webhooks(rendered, path)) == wanted(path)

    def test_the_kinds_of_the_configuration_are_sent_too(self, path: str) -> None:
        found = objects({"config": {"workloads": [ROLLOUT]}})
        rules = [rule for one in webhooks(found, path)["webhooks"] for rule in one["rules"]]
        assert {
            "apiGroups": ["argoproj.io"],
            "apiVersions": ["*"],
            "resources": ["rollouts"],
            "operations": ["CREATE", "UPDATE"],
            "scope": "*",
        } in rules

    def test_what_rescues_a_cluster_is_never_sent(self, rendered: list[Object], path: str) -> None:
        asked = {(group, resource) for _, group, resource, _ in sent(webhooks(rendered, path))}
        assert not asked & NEVER

    def test_every_entry_is_complete(self, rendered: list[Object], path: str) -> None:
        configuration = webhooks(rendered, path)
        assert configuration["metadata"] == {"name": "00-netreeve"}
        names = [one["name"] for one in configuration["webhooks"]]
        assert names == ["gate.netreeve.io", "namespaces.netreeve.io"]
        for one in configuration["webhooks"]:
            assert one["clientConfig"] == {
                "service": {
                    "namespace": "gate",
                    "name": "netreeve-serve",
                    "port": 443,
                    "path": "/mutate" if path == "mutating" else "/validate",
                }
            }
            assert one["admissionReviewVersions"] == ["v1"]
            assert (one["matchPolicy"], one["sideEffects"]) == ("Equivalent", "None")
            assert one.get("reinvocationPolicy") == ("IfNeeded" if path == "mutating" else None)
            assert one["timeoutSeconds"] == (3 if path == "mutating" else 5)
            assert "objectSelector" not in one  # whoever creates an object chooses its labels

    def test_excluded_namespaces_are_not_sent(self, path: str) -> None:
        found = objects({"config": {"excludedNamespaces": ["monitoring"]}}, namespace="gate")
        inside, themselves = webhooks(found, path)["webhooks"]
        excluded = {*ALWAYS_EXCLUDED, "gate", "monitoring"}
        assert inside["namespaceSelector"] == {
            "matchExpressions": [
                {
                    "key": "kubernetes.io/metadata.name",
                    "operator": "NotIn",
                    "values": sorted(excluded),
                }
            ]
        }
        # While it is created, a namespace carries the labels its creator wrote.
        assert "namespaceSelector" not in themselves
        condition = conditions(themselves)["not-a-namespace-of-the-system"]
        assert all(f"'{name}'" in condition for name in excluded)

    def test_who_heals_never_waits(self, rendered: list[Object], path: str) -> None:
        for one in webhooks(rendered, path)["webhooks"]:
            texts = conditions(one).values()
            assert "request.userInfo.username != 'system:apiserver'" in texts
            controller = "system:serviceaccount:gate:netreeve-control"
            assert f"request.userInfo.username != '{controller}'" in texts

    def test_endpoints_of_kubernetes_never_wait(self, rendered: list[Object], path: str) -> None:
        inside, _ = webhooks(rendered, path)["webhooks"]
        condition = conditions(inside)["not-the-endpoints-of-kubernetes"]
        assert all(f"'{name}'" in condition for name in EndpointSlices().trustedControllers)


SERVED = Served(
    {name: {NAME_LABEL: name} for name in ("shop", "default", "gate", "kube-system")}, {}
)


@pytest.mark.parametrize("path", ["mutating", "validating"])
def test_nothing_that_rescues_a_cluster_reaches_them(enforcing: list[Object], path: str) -> None:
    """The doctor's list and its reading of selectors and conditions, of our own configurations."""
    configuration = msgspec.convert(webhooks(enforcing, path), Configuration)
    namespaces = {name: {NAME_LABEL: name} for name in (*ALWAYS_EXCLUDED, "gate")}
    own = {"gate": "netreeve-serve"}
    asked = 0
    for webhook in configuration.webhooks or ():
        assert webhook.fails_closed
        for rescue in rescues(None, namespaces, own):
            found = match(webhook, rescue.request, SERVED)
            assert found.state == "skipped", f"{webhook.name}: {rescue.title}: {found}"
            asked += 1
    assert asked > 100


@pytest.mark.parametrize("path", ["mutating", "validating"])
def test_what_users_do_reaches_them(enforcing: list[Object], path: str) -> None:
    """The test above would pass with configurations that match nothing."""
    configuration = msgspec.convert(webhooks(enforcing, path), Configuration)
    jane = User("jane", groups=("system:authenticated",))
    body = {"metadata": {"name": "a", "namespace": "shop"}, "spec": {}}
    for resource, kind in (("services", "Service"), ("pods", "Pod"), ("endpoints", "Endpoints")):
        request = Request("CREATE", "", "v1", resource, kind, namespace="shop", name="a",
                          user=jane, object=body, old=None)  # fmt: skip
        states = [match(one, request, SERVED).state for one in configuration.webhooks or ()]
        assert states == ["called", "skipped"], (resource, states)


def conditions(webhook: Object) -> dict[str, Any]:
    return {one["name"]: one["expression"] for one in webhook["matchConditions"]}


@pytest.mark.parametrize(
    ("stage", "policy"), [("audit", "Ignore"), ("warn", "Ignore"), ("enforce", "Fail")]
)
def test_only_the_last_stage_fails_closed(stage: str, policy: str) -> None:
    found = objects({"stage": stage})
    for path in ("mutating", "validating"):
        assert {one["failurePolicy"] for one in webhooks(found, path)["webhooks"]} == {policy}


def test_deletions_are_validated_and_never_mutated(enforcing: list[Object]) -> None:
    assert {one for one, *_ in sent(webhooks(enforcing, "mutating"))} == {CREATE, UPDATE}
    deleted = [key for key in sent(webhooks(enforcing, "validating")) if key[0] == DELETE]
    assert deleted == [(DELETE, "networking.k8s.io", "networkpolicies", "Namespaced")]
