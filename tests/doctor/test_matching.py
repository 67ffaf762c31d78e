"""Whether a webhook is called: our answer beside that of a real API server, for the same table.

One webhook for each row, all in one configuration; one request calls those that match.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
import pytest

from policies.model import User
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.doctor.recorder import Recorder
from webhook.doctor.matching import Served, match
from webhook.doctor.requests import Request
from webhook.doctor.views import Webhook

pytestmark = pytest.mark.cluster
Row = tuple[str, dict[str, Any]]
ANYTHING = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web", "tier": "front"}},
    "spec": {
        "containers": [{"name": "main", "image": "registry.example/web:1", "ports": [
            {"containerPort": 8080}]}],
        "terminationGracePeriodSeconds": 5,
    },
}  # fmt: skip
ADMIN = User(
    "kubernetes-admin",
    groups=("system:masters", "system:authenticated"),
    # Of every user with a client certificate, since 1.32.
    extra={"authentication.kubernetes.io/credential-id": ("X509SHA256=0",)},
)

EXPRESSIONS = [
    "true",
    "false",
    "request.userInfo.username != 'system:serviceaccount:netreeve:netreeve-control'",
    "request.userInfo.username == 'kubernetes-admin'",
    "request.userInfo.groups.exists(g, g == 'system:masters')",
    "!request.userInfo.groups.exists_one(g, g.startsWith('system:m'))",
    "!('system:nodes' in request.userInfo.groups)",
    "'system:masters' in request.userInfo.groups && request.operation in ['CREATE', 'UPDATE']",
    "request.resource.group != 'coordination.k8s.io'",
    "!(request.resource.resource == 'events')",
    "request.kind.kind == 'Pod' && request.kind.group == ''",
    "request.requestKind.version == 'v1' && request.requestResource.resource == 'pods'",
    "request.namespace == 'default' || request.namespace.startsWith('kube-')",
    "request.name == 'web'",
    "request.dryRun",
    "!request.dryRun",
    "has(request.subResource)",
    "request.subResource == ''",
    "request.?subResource.orValue('') == ''",
    "has(request.userInfo.uid)",
    "request.userInfo.?extra.hasValue()",
    "request.options.kind == 'CreateOptions'",
    "object.kind == 'Pod'",
    "object != null",
    "oldObject == null",
    "oldObject.metadata.name == 'web'",
    "has(object.metadata.labels) && object.metadata.labels['app'] == 'web'",
    "object.metadata.labels['missing'] == 'x'",
    "object.metadata.labels['missing'] == 'x' || true",
    "object.metadata.labels['missing'] == 'x' && false",
    "object.metadata.?labels.app.orValue('') == 'web'",
    "object.metadata.?annotations[?'netreeve.io/x'].orValue('none') == 'none'",
    "'app' in object.metadata.labels",
    "object.metadata.labels.exists(k, k == 'tier')",
    "object.metadata.labels.all(k, k.matches('^[a-z]+$'))",
    "!(request.resource.resource == 'pods' && has(object.metadata.annotations)"
    " && 'kubernetes.io/config.mirror' in object.metadata.annotations)",
    "has(object.spec.hostNetwork) && object.spec.hostNetwork",
    "has(object.spec.nodeName)",
    "bool(object.spec.hostNetwork)",
    "size(object.spec.containers) == 1",
    "object.spec.containers.all(c, c.image.contains('example/'))",
    "object.spec.containers.filter(c, has(c.ports)).map(c, c.name) == ['main']",
    "object.spec.containers[0].ports[0].containerPort == 8080",
    "object.spec.containers[1].name == 'x'",
    "object.spec.terminationGracePeriodSeconds < 10",
    "object.spec.terminationGracePeriodSeconds > 5.5",
    "double(object.spec.terminationGracePeriodSeconds) / 2.0 == 2.5",
    "string(object.spec.containers[0].ports[0].containerPort) == '8080'",
    "object.spec.containers[0].image.endsWith(':1')",
    "object.spec.containers[0].image.split(':')[1] == '1'",
    "object.spec.containers[0].image.lastIndexOf(':') == 20",
    "object.metadata.name.upperAscii() == 'WEB'",
    "object.metadata.name.replace('w', 'v') == 'veb'",
    "object.spec.containers.map(c, string(c.name)).join('-') == 'main'",
    "object.metadata.name.substring(1) == 'eb' ? true : false",
    "type(object.metadata.name) == string",
    "int(object.metadata.name) == 1",
    "object.spec.containers.size() / 0 == 1",
    "object.metadata.labels == {'app': 'web', 'tier': 'front'}",
]
RULES: list[Row] = [
    ("star", {"rules": [{**ANYTHING, "resources": ["*"]}]}),
    ("pods", {"rules": [{**ANYTHING, "resources": ["pods"]}]}),
    ("pods-star", {"rules": [{**ANYTHING, "resources": ["pods/*"]}]}),
    ("pods-status", {"rules": [{**ANYTHING, "resources": ["pods/status"]}]}),
    ("star-status", {"rules": [{**ANYTHING, "resources": ["*/status"]}]}),
    ("star-binding", {"rules": [{**ANYTHING, "resources": ["*/binding"]}]}),
    ("star-star", {"rules": [ANYTHING]}),
    ("core", {"rules": [{**ANYTHING, "apiGroups": [""]}]}),
    ("apps", {"rules": [{**ANYTHING, "apiGroups": ["apps"]}]}),
    ("v1", {"rules": [{**ANYTHING, "apiVersions": ["v1"]}]}),
    ("v2", {"rules": [{**ANYTHING, "apiVersions": ["v2"]}]}),
    ("v2-exact", {"rules": [{**ANYTHING, "apiVersions": ["v2"]}], "matchPolicy": "Exact"}),
    ("events", {"rules": [{**ANYTHING, "apiGroups": ["events.k8s.io"], "resources": ["events"]}]}),
    ("events-exact", {"rules": [{**ANYTHING, "apiGroups": ["events.k8s.io"],
                                 "resources": ["events"]}], "matchPolicy": "Exact"}),
    ("created", {"rules": [{**ANYTHING, "operations": ["CREATE"]}]}),
    ("changed", {"rules": [{**ANYTHING, "operations": ["UPDATE", "DELETE"]}]}),
    ("namespaced", {"rules": [{**ANYTHING, "scope": "Namespaced"}]}),
    ("cluster", {"rules": [{**ANYTHING, "scope": "Cluster"}]}),
    ("in-default", {"namespaceSelector": {"matchLabels": {
        "kubernetes.io/metadata.name": "default"}}}),
    ("not-system", {"namespaceSelector": {"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}]}}),
    ("opted-in", {"namespaceSelector": {"matchLabels": {"gate": "on"}}}),
    ("web", {"objectSelector": {"matchLabels": {"app": "web"}}}),
    ("labelled", {"objectSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}),
    ("unlabelled", {"objectSelector": {"matchExpressions": [
        {"key": "app", "operator": "DoesNotExist"}]}}),
]  # fmt: skip
CONDITIONS: list[Row] = [
    (f"c{place}", {"matchConditions": [{"name": "it", "expression": expression}]})
    for place, expression in enumerate(EXPRESSIONS)
]
BOTH: list[Row] = [
    ("false-and-error", {"matchConditions": [
        {"name": "a", "expression": "object.nothing == 1"}, {"name": "b", "expression": "false"}]}),
    ("true-and-error", {"matchConditions": [
        {"name": "a", "expression": "true"}, {"name": "b", "expression": "object.nothing == 1"}]}),
]  # fmt: skip
MARKER = "marker"


def webhook(name: str, fields: Mapping[str, Any], recorder: Recorder, fail: str) -> dict[str, Any]:
    return {
        "name": f"{name}.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": fail,
        "matchPolicy": "Equivalent",
        "timeoutSeconds": 30,
        "rules": [ANYTHING],
        "clientConfig": {
            "url": f"{recorder.url}/{name}",
            "caBundle": base64.b64encode(recorder.authority).decode(),
        },
        **fields,
    }


class Server:
    """The API server with the webhooks of a table in front of it."""

    def __init__(self, plane: ControlPlane, recorder: Recorder) -> None:
        self._plane = plane
        self._recorder = recorder
        self.kubectl = plane.kubectl

    @contextmanager
    def registered(self, rows: list[Row], fail: str = "Ignore") -> Iterator[dict[str, Webhook]]:
        """The webhooks by name, while the API server knows them."""
        marker = f"{MARKER}-{uuid.uuid4().hex[:6]}"
        wanted = [webhook(name, fields, self._recorder, fail) for name, fields in rows]
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "doctor-table"},
            "webhooks": [*wanted, webhook(marker, {"rules": [
                {**ANYTHING, "resources": ["configmaps"]}]}, self._recorder, "Ignore")],
        }  # fmt: skip
        self.kubectl("create", "-f", "-", stdin=json.dumps(configuration))
        try:
            wait_for(lambda: marker in self.called("create", "configmap", "x"), 20, "the webhooks")
            stored = self.kubectl(
                "get", "validatingwebhookconfiguration", "doctor-table", "-o", "json"
            )
            found = msgspec.convert(json.loads(stored.stdout)["webhooks"], list[Webhook])
            yield {one.name.partition(".")[0]: one for one in found[:-1]}
        finally:
            self.kubectl("delete", "validatingwebhookconfiguration", "doctor-table")

    def called(self, *arguments: str, stdin: str | None = None) -> set[str]:
        """Who was called for a dry run of kubectl in the namespace default."""
        self._recorder.called.clear()
        self.kubectl(*arguments, "--dry-run=server", "-n", "default", stdin=stdin, check=False)
        return set(self._recorder.called)


@pytest.fixture(scope="module")
def server(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    recorder = Recorder(tmp_path_factory.mktemp("recorder"))
    with recorder.running():
        control_plane.kubectl("label", "namespace", "default", "gate=off", "--overwrite")
        yield Server(control_plane, recorder)
        control_plane.kubectl("label", "namespace", "default", "gate-")


SERVED = Served(
    {"default": {"kubernetes.io/metadata.name": "default", "gate": "off"}},
    {
        ("", "events"): ("v1",),
        ("events.k8s.io", "events"): ("v1",),
        ("autoscaling", "horizontalpodautoscalers"): ("v2", "v1"),
    },
    (1, 36),
)


def create(object: dict[str, Any], resource: str, group: str = "", **more: Any) -> Request:
    version = object["apiVersion"].rpartition("/")[2]
    return Request(
        "CREATE", group, version, resource, object["kind"],
        name=object["metadata"]["name"], user=ADMIN, object=object, **more,
    )  # fmt: skip


HPA = {
    "apiVersion": "autoscaling/v1",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment",
                                                  "name": "web"}},
}  # fmt: skip
EVENT = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "web"},
    "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default"},
}
NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "web", "labels": {"gate": "on", "kubernetes.io/metadata.name": "web"}},
}
CLUSTER_ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "rules": [],
}
REQUESTS = [
    create(POD, "pods", namespace="default"),
    create(HPA, "horizontalpodautoscalers", "autoscaling", namespace="default"),
    create(EVENT, "events", namespace="default"),
    create(NAMESPACE, "namespaces", namespace="web"),
    create(CLUSTER_ROLE, "clusterroles", "rbac.authorization.k8s.io"),
]


def expected(webhooks: Mapping[str, Webhook], request: Request) -> set[str]:
    return {name for name, one in webhooks.items() if match(one, request, SERVED).state == "called"}


def test_rules_and_selectors_match_what_the_api_server_sends(server: Server) -> None:
    with server.registered(RULES) as webhooks:
        for request in REQUESTS:
            sent = server.called("create", "-f", "-", stdin=json.dumps(request.object))
            assert expected(webhooks, request) == sent, request.title


def test_match_conditions_evaluate_as_in_the_api_server(server: Server) -> None:
    # The API server counts a dry run as one, so we ask about the same; defaults are part of it.
    stored = server.kubectl(
        "create", "-f", "-", "--dry-run=server", "-n", "default", "-o", "json",
        stdin=json.dumps(POD),
    )  # fmt: skip
    request = create(json.loads(stored.stdout), "pods", namespace="default", dry_run=True)
    for start in range(0, len(CONDITIONS), 60):
        with server.registered([*CONDITIONS[start : start + 60], *BOTH]) as webhooks:
            sent = server.called("create", "-f", "-", stdin=json.dumps(POD))
            ours = expected(webhooks, request)
            wrong = {name: webhooks[name].matchConditions for name in ours ^ sent}
            assert not wrong


def test_updates_deletions_and_subresources_match_as_well(server: Server) -> None:
    old = {**POD, "metadata": {"name": "living", "labels": {"app": "web"}}}
    server.kubectl("apply", "--server-side", "-n", "default", "-f", "-", stdin=json.dumps(old))
    stored = json.loads(
        server.kubectl("get", "pod", "living", "-n", "default", "-o", "json").stdout
    )
    new = {**stored, "metadata": {**stored["metadata"], "labels": {"tier": "back"}}}
    change = json.dumps({"metadata": {"labels": {"app": None, "tier": "back"}}})
    patch = ("patch", "pod", "living", "--type=merge", "-p", change)
    pod = partial(Request, group="", version="v1", resource="pods", kind="Pod", name="living",
                  namespace="default", user=ADMIN, old=stored)  # fmt: skip
    requests: list[tuple[Request, tuple[str, ...]]] = [
        (pod(operation="UPDATE", object=new), patch),
        (pod(operation="UPDATE", subresource="status", object=new),
         (*patch, "--subresource=status")),
        (pod(operation="DELETE"), ("delete", "pod", "living", "--grace-period=0", "--force")),
    ]  # fmt: skip
    try:
        with server.registered(RULES) as webhooks:
            for request, arguments in requests:
                assert expected(webhooks, request) == server.called(*arguments), request.title
    finally:
        server.kubectl("delete", "pod", "living", "-n", "default", "--grace-period=0", "--force")


@pytest.mark.parametrize("expression", [
    "object.metadata.labels['missing'] == 'x'",
    "request.subResource == ''",
    "int(object.metadata.name) == 1",
])  # fmt: skip
def test_a_condition_that_fails_refuses_what_fails_closed(server: Server, expression: str) -> None:
    row = ("failing", {"matchConditions": [{"name": "it", "expression": expression}],
                       "rules": [{**ANYTHING, "resources": ["pods"]}]})  # fmt: skip
    with server.registered([row], fail="Fail") as webhooks:
        found = match(webhooks["failing"], REQUESTS[0], SERVED)
        assert found.state == "refused"
        said = server.kubectl(
            "create", "-f", "-", "--dry-run=server", "-n", "default",
            stdin=json.dumps(POD), check=False,
        )  # fmt: skip
        assert "forbidden" in said.stderr
        assert "resulted in error" in said.stderr


@pytest.mark.parametrize("expression", [
    "authorizer.group('').resource('pods').namespace('default').check('create').allowed()",
    "quantity('1Mi').isGreaterThan(quantity('1Ki'))",
    "object.metadata.name.find('w+') == 'w'",
])  # fmt: skip
def test_what_only_the_api_server_knows_is_never_guessed(server: Server, expression: str) -> None:
    with server.registered([("it", {"matchConditions": [
        {"name": "it", "expression": expression}]})]) as webhooks:  # fmt: skip
        assert "it" in server.called("create", "-f", "-", stdin=json.dumps(POD))
        found = match(webhooks["it"], REQUESTS[0], SERVED)
    assert found.state == "unknown"
    assert found.reason.startswith("matchCondition it: undeclared reference to")
