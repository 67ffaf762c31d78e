"""What can be wrong with an installation: how to bring it about, and what must be found then.

Each is a context manager within which the patient is sick; afterwards all is as before.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from certs import issue
from tests.doctor.patient import NAMESPACE, Json, Patient

EVERYTHING = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
FOREVER_AGO = "2026-01-01T00:00:00.000000Z"
RELEASED = {"op": "replace", "path": "/spec/holderIdentity", "value": ""}
RENEWED_ONCE = {"op": "replace", "path": "/spec/renewTime", "value": FOREVER_AGO}


class Sickness(NamedTuple):
    """finds: ids of errors, warnings or notes that must be among those found; says: a part of the
    message of the first. everyone: with --all.
    """

    name: str
    brings: Callable[[Patient], AbstractContextManager[None]]
    finds: tuple[str, ...]
    says: str = ""
    everyone: bool = False


def condition(expression: str) -> dict[str, Any]:
    """Webhooks that reach everything, if this holds."""
    return {
        "namespaceSelector": {},
        "rules": [EVERYTHING],
        "matchConditions": [{"name": "it", "expression": expression}],
    }


def foreign(name: str, kind: str = "Validating", **fields: Any) -> Json:
    """A webhook of somebody else, about something that nobody asks for."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": f"{name}.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "timeoutSeconds": 1,
                "rules": [{**EVERYTHING, "resources": ["nothing"]}],
                "clientConfig": {"service": {"namespace": "shop", "name": "nobody"}},
                **fields,
            }
        ],
    }


def service(namespace: str, name: str, port: int = 443) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [{"port": port}]},
    }


NOW = datetime.now(UTC)
DAY = timedelta(days=1)
NAMES = [f"netreeve-serve.{NAMESPACE}.svc"]
AUTHORITY = issue.authority("another", now=NOW, life=90 * DAY)
EXPIRED = issue.authority("expired", now=NOW - 9 * DAY, life=3 * DAY)
LEAF = issue.leaf(AUTHORITY, NAMES, now=NOW, life=90 * DAY)
STRANGER = issue.leaf(AUTHORITY, ["somebody.else"], now=NOW, life=90 * DAY)


def authority(one: Patient) -> issue.Pair:
    """That of the installation."""
    data = one.get("secret", "netreeve-ca", "-n", NAMESPACE)["data"]
    return issue.Pair(base64.b64decode(data["ca.crt"]), base64.b64decode(data["ca.key"]))


def unrenewed(one: Patient) -> AbstractContextManager[None]:
    """A certificate of our own authority that should have been renewed long ago."""
    leaf = issue.leaf(authority(one), NAMES, now=NOW - 85 * DAY, life=90 * DAY)
    return one.changed(SECRET, secret(leaf.certificate), NAMESPACE)


def aging(one: Patient) -> AbstractContextManager[None]:
    """Two authorities of which the last to go goes soon; the present one is not among them."""
    old = issue.authority("old", now=NOW, life=9 * DAY)
    return one.webhooks("mutating", clientConfig=with_bundle(old.certificate))


@contextmanager
def together(*some: AbstractContextManager[None]) -> Iterator[None]:
    with ExitStack() as stack:
        for one in some:
            stack.enter_context(one)
        yield


def with_bundle(pem: bytes) -> Callable[[Json], Json]:
    """A clientConfig with another bundle; b"" for none."""
    return lambda before: {**before, "caBundle": base64.b64encode(pem).decode()}


def secret(cert: bytes) -> Json:
    return {"data": {"tls.crt": base64.b64encode(cert).decode()}}


def config(text: str) -> Json:
    return {"data": {"config.yaml": text}}


def gate(**fields: str) -> Json:
    lines = [f"{key}: {value}" for key, value in fields.items()]
    return config("\n".join(["apiVersion: netreeve.io/v1alpha1", "kind: GateConfig", *lines]))


def cluster_role_binding(name: str, role: str) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "netreeve-serve", "namespace": NAMESPACE}],
    }


def image(name: str) -> list[Json]:
    return [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": name}]


def slice_at(address: str) -> Json:
    """One more server, as the Service has it."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "one-more", "namespace": NAMESPACE,
                     "labels": {"kubernetes.io/service-name": "netreeve-serve"}},
        "addressType": "IPv4",
        "ports": [{"name": "reviews", "port": 9, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": False}}],
    }  # fmt: skip


ROLLOUT = "[{group: argoproj.io, resource: rollouts, kind: Rollout, path: spec.template}]"


def rollouts() -> Json:
    """A kind with pod templates that nobody but the configuration knows."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "rollouts.argoproj.io"},
        "spec": {
            "group": "argoproj.io",
            "names": {"plural": "rollouts", "kind": "Rollout"},
            "scope": "Namespaced",
            "versions": [{"name": "v1alpha1", "served": True, "storage": True,
                          "schema": {"openAPIV3Schema": schema}}],
        },
    }  # fmt: skip


DEPLOYMENT = "deployment/netreeve-serve"
CONFIG, SECRET = "configmap/netreeve-config", "secret/netreeve-tls"


def without_ephemeral(rules: list[Json]) -> list[Json]:
    gone = "pods/ephemeralcontainers"
    return [{**one, "resources": [name for name in one["resources"] if name != gone]}
            for one in rules]  # fmt: skip


def not_in_shop(selector: Json | None) -> Json:
    """For the webhooks that have a selector already: that of namespaces themselves has none."""
    (known,) = (selector or {"matchExpressions": [IN_NONE]})["matchExpressions"]
    return {"matchExpressions": [{**known, "values": [*known["values"], "shop"]}]}


def not_me(conditions: list[Json]) -> list[Json]:
    expression = "request.userInfo.username != 'kubernetes-admin'"
    return [*conditions, {"name": "not-me", "expression": expression}]


IN_NONE = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": []}
KUBE_DNS_UDP = [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}]

SICKNESSES = [
    Sickness("selector gone", lambda one: one.webhooks("validating", **condition("true")),
             ("rescue-blocked",), "is called for Node registration"),
    Sickness("condition that fails", lambda one: one.webhooks(
        "validating", **condition("object.nothing.at.all == 1")),
             ("rescue-refused", "known-bad-refused-by-others"), "refuses Node registration"),
    Sickness("condition on authorizer", lambda one: one.webhooks(
        "validating", **condition("authorizer.group('').resource('x').check('get').allowed()")),
             ("rescue-unknown",), "may be called for"),
    Sickness("nodes of others", lambda one: one.there(foreign(
        "nodes", failurePolicy="Fail", rules=[{**EVERYTHING, "resources": ["nodes/status"]}])),
             ("rescue-blocked", "no-service", "ca-bundle-missing"), "Node status", everyone=True),
    Sickness("nodes by a URL", lambda one: one.there(foreign(
        "nodes", failurePolicy="Fail", clientConfig={"url": "https://gate.example.com/"},
        rules=[{**EVERYTHING, "resources": ["nodes/status"]}])),
             ("rescue-outside",), "Node status", everyone=True),
    Sickness("rules of less", lambda one: one.webhooks("validating", rules=without_ephemeral),
             ("rule-missing",), "pods/ephemeralcontainers"),
    Sickness("exact", lambda one: one.webhooks("validating", matchPolicy="Exact"),
             ("match-policy-exact",)),
    Sickness("by labels", lambda one: one.webhooks(
        "validating", objectSelector={"matchLabels": {"gate": "on"}}),
             ("object-selector", "rule-missing", "namespace-not-sent", "known-bad-admitted")),
    Sickness("no bundle", lambda one: one.webhooks("validating", clientConfig=with_bundle(b"")),
             ("ca-bundle-missing", "call-failed")),
    Sickness("another authority", lambda one: one.webhooks(
        "validating", clientConfig=with_bundle(AUTHORITY.certificate)),
             ("certificate-bad", "served-certificate-bad", "call-failed"), "not issued"),
    Sickness("a leaf for a bundle", lambda one: one.webhooks(
        "validating", clientConfig=with_bundle(LEAF.certificate)),
             ("ca-bundle-not-authorities", "certificate-bad", "served-certificate-bad",
              "call-failed")),
    Sickness("an expired bundle", lambda one: one.webhooks(
        "validating", clientConfig=with_bundle(EXPIRED.certificate)),
             ("ca-bundle-bad", "certificate-bad", "served-certificate-bad", "call-failed"),
             "has expired"),
    Sickness("an old bundle", aging,
             ("ca-bundle-expiring", "certificate-bad", "served-certificate-bad", "call-failed")),
    Sickness("not renewed", unrenewed, ("certificate-expiring", "served-certificate-old")),
    Sickness("slow", lambda one: one.webhooks("mutating", timeoutSeconds=30), ("timeout-long",)),
    Sickness("hasty", lambda one: one.webhooks("validating", timeoutSeconds=1),
             ("timeout-short",)),
    Sickness("open", lambda one: one.webhooks("validating", failurePolicy="Ignore"),
             ("enforcing-but-open",)),
    Sickness("config broken", lambda one: one.changed(CONFIG, gate(stage="sometimes"), NAMESPACE),
             ("config-broken",), "stage"),
    Sickness("open in warn", lambda one: together(
        one.changed(CONFIG, gate(stage="warn"), NAMESPACE),
        one.webhooks("validating", failurePolicy="Ignore"),
        one.webhooks("mutating", failurePolicy="Ignore")), ("fails-open",)),
    Sickness("closed in audit", lambda one: one.changed(CONFIG, gate(stage="audit"), NAMESPACE),
             ("closed-but-not-enforcing", "known-bad-not-denied")),
    Sickness("excluded", lambda one: one.changed(
        CONFIG, gate(excludedNamespaces="[shop]"), NAMESPACE), ("namespace-excluded",), "shop"),
    Sickness("not sent", lambda one: one.webhooks("validating", namespaceSelector=not_in_shop),
             ("namespace-not-sent",), "shop"),
    Sickness("later webhook", lambda one: one.there(foreign(
        "zz", "Mutating", rules=[{**EVERYTHING, "resources": ["pods"]}])),
             ("webhook-after-ours",), "for pods"),
    Sickness("later webhook, and not asked again", lambda one: together(
        one.webhooks("mutating", reinvocationPolicy="Never"), one.there(foreign("zz", "Mutating"))),
             ("not-reinvoked",)),
    Sickness("known bad excused", lambda one: one.webhooks("validating", matchConditions=not_me),
             ("known-bad-admitted",)),
    Sickness("service without port", lambda one: one.there(
        service("shop", "nobody", 80), foreign("ports")),
             ("no-service-port", "no-endpoints", "ca-bundle-missing"), "has no port 443",
             everyone=True),
    Sickness("one replica", lambda one: one.changed(
        DEPLOYMENT, {"spec": {"replicas": 1}}, NAMESPACE), ("single-endpoint",)),
    Sickness("more replicas than servers", lambda one: one.changed(
        DEPLOYMENT, {"spec": {"replicas": 5}}, NAMESPACE), ("few-endpoints",), "3 of 5"),
    Sickness("part gone", lambda one: one.gone("deployment", "netreeve-control", "-n", NAMESPACE),
             ("part-missing",), "netreeve-control"),
    Sickness("no stage", lambda one: one.gone("configmap", "netreeve-config", "-n", NAMESPACE),
             ("part-missing",), "no stage was installed"),
    Sickness("not active", lambda one: one.emptied("validating"), ("not-active",)),
    Sickness("certificate gone", lambda one: one.changed(SECRET, {"data": {"tls.crt": ""}},
                                                         NAMESPACE), ("certificate-missing",)),
    Sickness("certificate of another", lambda one: one.changed(
        SECRET, secret(STRANGER.certificate), NAMESPACE),
             ("certificate-bad", "served-certificate-old"), "somebody.else"),
    Sickness("servers elsewhere", lambda one: one.there(slice_at("203.0.113.77")),
             ("servers-not-reachable",), "1 of 4"),
    Sickness("rights gone", lambda one: one.gone("clusterrolebinding", "netreeve-serve"),
             ("right-missing",), "may not list namespaces"),
    Sickness("Lease kept from the servers", lambda one: one.gone(
        "rolebinding", "netreeve-serve", "-n", NAMESPACE), ("baseline-unread", "right-missing"),
             "namespaces get no baseline"),
    Sickness("names not kept", lambda one: one.gone(
        "validatingadmissionpolicybinding", "netreeve-excluded"), ("guard-missing",),
             "bound by nothing"),
    Sickness("names kept by a warning only", lambda one: one.changed(
        "validatingadmissionpolicybinding/netreeve-excluded",
        {"spec": {"validationActions": ["Warn"]}}), ("guard-missing",), "bound with Warn"),
    Sickness("pods lend their addresses", lambda one: one.gone(
        "validatingadmissionpolicy", "netreeve-pod-addresses"), ("guard-missing",),
             "addresses of pods"),
    Sickness("rights of the controller gone", lambda one: one.gone(
        "role", "netreeve-control", "-n", NAMESPACE), ("right-missing",),
             "get secrets netreeve-stamp in netreeve"),
    Sickness("a custom workload that is not sent", lambda one: together(
        one.there(rollouts()), one.changed(CONFIG, gate(
            stage="enforce", workloads=ROLLOUT), NAMESPACE)),
             ("rule-missing",), "CREATE rollouts.argoproj.io v1alpha1"),
    Sickness("too many rights", lambda one: one.there(
        cluster_role_binding("too-much", "cluster-admin")), ("right-excess",), "create pods"),
    Sickness("lease not renewed", lambda one: one.stale(RENEWED_ONCE), ("no-leader",),
             FOREVER_AGO),
    Sickness("lease released", lambda one: one.stale(RELEASED), ("leader-released",)),
    Sickness("lease released, and nobody took it", lambda one: one.stale(RELEASED, RENEWED_ONCE),
             ("no-leader",), "held by nobody since 2026-01-01"),
    Sickness("plugin that enforces nothing", lambda one: one.changed(
        "daemonset/calico-node", [{"op": "replace", "path": "/spec/template/spec/containers/0/name",
                                   "value": "kube-flannel"}], "kube-system"),
             ("not-enforced",), "Flannel"),
    Sickness("no DNS", lambda one: one.gone("service", "kube-dns", "-n", "kube-system"),
             ("dns-not-found",)),
    Sickness("DNS without TCP", lambda one: one.changed(
        "service/kube-dns", [{"op": "replace", "path": "/spec/ports", "value": KUBE_DNS_UDP}],
        "kube-system"), ("dns-problem",), "DnsWithoutTcp"),
    Sickness("other image", lambda one: one.changed(
        DEPLOYMENT, image("registry.example/netreeve:v99.0.0"), NAMESPACE),
             ("images-differ", "command-skew")),
    Sickness("other engine", lambda one: one.there(foreign("validate.kyverno.svc-fail")),
             ("other-engine",)),
]  # fmt: skip
