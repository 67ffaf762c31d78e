"""The table of webhooks and of requests that are matched by our answer and by the API server."""

from __future__ import annotations

from typing import Any

from policies.model import User
from webhook.doctor.requests import Request

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
