"""The requests that bring a cluster back to life, and must never wait for a webhook. Pure.

After a power cut nothing runs but the API server: nodes register, leaders are elected, and the
pods of the network, of DNS and of the webhook itself are created, in this order. A webhook that
fails closed and runs as pods in the cluster cannot answer before all of that is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from policies.baseline.facts import Facts
from policies.labels import NAME_LABEL
from policies.model import User
from policies.namespaces.system import SYSTEM_NAMESPACES
from webhook.doctor.names import NAMESPACE
from webhook.doctor.requests import Json, Request

SYSTEM, NODE_LEASES = "kube-system", "kube-node-lease"
AUTHENTICATED = "system:authenticated"
SHOP = "netreeve-doctor"
"""Stands for the namespaces of users; a name that none of them has."""


class Rescue(NamedTuple):
    """title: follows "is called for"."""

    title: str
    request: Request


def account(namespace: str, name: str) -> User:
    """A service account, as the API server authenticates it."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", groups=groups)


def _component(name: str) -> User:
    return User(f"system:{name}", groups=(AUTHENTICATED,))


def _controller(name: str) -> User:
    return account(SYSTEM, f"{name}-controller")


NODE = User("system:node:node-1", groups=("system:nodes", AUTHENTICATED))
API_SERVER = User("system:apiserver", groups=("system:masters", AUTHENTICATED))
JOINING = User("system:bootstrap:abcdef", groups=("system:bootstrappers", AUTHENTICATED))
SCHEDULER = _component("kube-scheduler")
MANAGER = _component("kube-controller-manager")
LEASES = "coordination.k8s.io/v1/leases"
CSRS = "certificates.k8s.io/v1/certificatesigningrequests"
SLICES = "discovery.k8s.io/v1/endpointslices"
RBAC = "rbac.authorization.k8s.io/v1"

ALWAYS: tuple[tuple[str, str, str, str, User, str], ...] = (
    # title, operations, where, kind, user, name or namespace/name
    ("Node registration", "CREATE", "v1/nodes", "Node", NODE, "node-1"),
    ("Node updates", "UPDATE", "v1/nodes", "Node", NODE, "node-1"),
    ("Node status", "UPDATE", "v1/nodes/status", "Node", NODE, "node-1"),
    ("node heartbeats", "CREATE UPDATE", LEASES, "Lease", NODE, f"{NODE_LEASES}/node-1"),
    ("storage drivers of nodes", "CREATE", "storage.k8s.io/v1/csinodes", "CSINode", NODE, "node-1"),
    ("kubelet certificates", "CREATE", CSRS, "CertificateSigningRequest", JOINING, "csr-1"),
    ("kubelet certificates (approval)", "UPDATE", f"{CSRS}/approval", "CertificateSigningRequest",
     _controller("certificate"), "csr-1"),
    ("kubelet certificates (signing)", "UPDATE", f"{CSRS}/status", "CertificateSigningRequest",
     _controller("certificate"), "csr-1"),
    ("leader election of the scheduler", "CREATE UPDATE", LEASES, "Lease", SCHEDULER,
     f"{SYSTEM}/kube-scheduler"),
    ("leader election of the controller manager", "CREATE UPDATE", LEASES, "Lease", MANAGER,
     f"{SYSTEM}/kube-controller-manager"),
    ("the Lease of the API server", "CREATE UPDATE", LEASES, "Lease", API_SERVER,
     f"{SYSTEM}/apiserver-1"),
    ("the Service of the API server", "CREATE UPDATE", "v1/services", "Service", API_SERVER,
     "default/kubernetes"),
    ("addresses of the API server", "CREATE UPDATE", "v1/endpoints", "Endpoints", API_SERVER,
     "default/kubernetes"),
    ("addresses of the API server", "CREATE UPDATE", SLICES, "EndpointSlice", API_SERVER,
     "default/kubernetes"),
    ("addresses of the scheduler and the controller manager", "UPDATE", "v1/endpoints",
     "Endpoints", MANAGER, f"{SYSTEM}/kube-controller-manager"),
    ("APIService registration", "CREATE UPDATE", "apiregistration.k8s.io/v1/apiservices",
     "APIService", API_SERVER, "v1.apps"),
    ("CustomResourceDefinitions", "CREATE UPDATE",
     "apiextensions.k8s.io/v1/customresourcedefinitions", "CustomResourceDefinition", API_SERVER,
     "networks.example.com"),
    ("bootstrap roles", "UPDATE", f"{RBAC}/clusterroles", "ClusterRole", API_SERVER, "system:node"),
    ("bootstrap role bindings", "UPDATE", f"{RBAC}/clusterrolebindings", "ClusterRoleBinding",
     API_SERVER, "system:node"),
    ("bootstrap priorities", "CREATE", "scheduling.k8s.io/v1/priorityclasses", "PriorityClass",
     API_SERVER, "system-node-critical"),
    ("bootstrap flow control", "UPDATE", "flowcontrol.apiserver.k8s.io/v1/flowschemas",
     "FlowSchema", API_SERVER, "system-nodes"),
    ("SubjectAccessReview", "CREATE", "authorization.k8s.io/v1/subjectaccessreviews",
     "SubjectAccessReview", NODE, ""),
    ("TokenReview", "CREATE", "authentication.k8s.io/v1/tokenreviews", "TokenReview", NODE, ""),
    ("binding of system pods", "CREATE", "v1/pods/binding", "Binding", SCHEDULER,
     f"{SYSTEM}/pod-1"),
    ("status of system pods", "UPDATE", "v1/pods/status", "Pod", NODE, f"{SYSTEM}/pod-1"),
    ("tokens of system pods", "CREATE", "v1/serviceaccounts/token", "TokenRequest", NODE,
     f"{SYSTEM}/coredns"),
    ("ServiceAccounts of the system", "CREATE", "v1/serviceaccounts", "ServiceAccount",
     _controller("service-account"), f"{SYSTEM}/default"),
    ("the authority in kube-system", "CREATE", "v1/configmaps", "ConfigMap",
     account(SYSTEM, "root-ca-cert-publisher"), f"{SYSTEM}/kube-root-ca.crt"),
    ("endpoints of DNS", "CREATE UPDATE", SLICES, "EndpointSlice", _controller("endpointslice"),
     f"{SYSTEM}/kube-dns-1"),
    ("the end of namespaces", "UPDATE", "v1/namespaces/finalize", "Namespace",
     _controller("namespace"), SHOP),
    ("the end of namespaces (status)", "UPDATE", "v1/namespaces/status", "Namespace",
     _controller("namespace"), SHOP),
    ("the end of namespaces (pods)", "DELETE", "v1/pods", "Pod", _controller("namespace"),
     f"{SHOP}/pod-1"),
    ("the end of namespaces (NetworkPolicies)", "DELETE",
     "networking.k8s.io/v1/networkpolicies", "NetworkPolicy", _controller("namespace"),
     f"{SHOP}/default-deny"),
)  # fmt: skip


def rescues(
    facts: Facts | None, namespaces: Mapping[str, Mapping[str, str]], own: Mapping[str, str]
) -> Iterator[Rescue]:
    """The list for this cluster.

    own: the service account of the webhook's own pods, by their namespace: "" where it is not
    known. These are rescued like the system's.
    """
    for title, operations, where, kind, user, place in ALWAYS:
        for operation in operations.split():
            yield Rescue(title, _request(operation, where, kind, user, place))
    for title, namespace, labels in _system_pods(facts, namespaces):
        yield from _pods(title, namespace, labels)
    for namespace, name in own.items():
        yield from _own(namespace, name or "default")


def _request(  # noqa: PLR0917 - the columns of the table
    operation: str, where: str, kind: str, user: User, place: str, body: Json | None = None
) -> Request:
    """where: ``apps/v1/daemonsets`` or ``v1/pods/status``."""
    parts = where.split("/")
    group = "" if parts[0] == "v1" else parts.pop(0)
    version, resource, *rest = parts
    namespace, _, name = place.rpartition("/")
    body = body or _body(f"{group}/{version}".lstrip("/"), kind, namespace, name)
    return Request(
        operation, group, version, resource, kind,
        subresource="".join(rest),
        namespace=name if kind == "Namespace" else namespace,
        name=name,
        user=user,
        object=None if operation == "DELETE" else body,
        old=None if operation == "CREATE" else body,
    )  # fmt: skip


def _body(version: str, kind: str, namespace: str, name: str) -> Json:
    metadata: Json = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if kind == "Namespace":
        metadata["labels"] = {NAME_LABEL: name}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _system_pods(
    facts: Facts | None, namespaces: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Pods of the system: what runs here, and what usually does."""
    yield "pods of kube-proxy", SYSTEM, {"k8s-app": "kube-proxy"}
    yield "pods of CoreDNS", SYSTEM, {"k8s-app": "kube-dns"}
    yield "pods of the network plugin", SYSTEM, {}
    for one in facts.daemon_sets if facts else ():
        if one.namespace in SYSTEM_NAMESPACES:
            yield f"pods of DaemonSet {one.namespace}/{one.name}", one.namespace, one.labels
    for namespace in sorted(SYSTEM_NAMESPACES & namespaces.keys()):
        if namespace not in (SYSTEM, NODE_LEASES, "kube-public", NAMESPACE):
            yield f"pods in {namespace}", namespace, {}


def _pods(title: str, namespace: str, labels: Mapping[str, str]) -> Iterator[Rescue]:
    for kind, user, mirror in (
        ("", _controller("daemon-set"), False),
        (" (static)", NODE, True),
    ):
        pod = _pod(namespace, labels, mirror=mirror)
        for operation in ("CREATE", "UPDATE", "DELETE"):
            request = _request(operation, "v1/pods", "Pod", user, f"{namespace}/pod-1", pod)
            yield Rescue(f"{title}{kind}", request)


def _pod(namespace: str, labels: Mapping[str, str], *, mirror: bool = False) -> Json:
    metadata: Json = {"name": "pod-1", "namespace": namespace, "labels": dict(labels)}
    if mirror:
        metadata["annotations"] = {"kubernetes.io/config.mirror": "1"}
    spec = {
        # What every network plugin needs, and a gate for networks looks at.
        "hostNetwork": True,
        "containers": [{"name": "main", "image": "registry.example/system:1"}],
        "tolerations": [{"operator": "Exists"}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _own(namespace: str, name: str) -> Iterator[Rescue]:
    """What the webhook itself consists of."""
    itself = account(namespace, name)
    pod = _pod(namespace, {"app.kubernetes.io/name": NAMESPACE})
    for where, kind, operation, user in (
        ("apps/v1/deployments/status", "Deployment", "UPDATE", _controller("deployment")),
        ("apps/v1/replicasets", "ReplicaSet", "CREATE", _controller("deployment")),
        ("v1/pods", "Pod", "CREATE", _controller("replicaset")),
        ("v1/pods/binding", "Binding", "CREATE", SCHEDULER),
        ("v1/pods/status", "Pod", "UPDATE", NODE),
        ("v1/pods", "Pod", "DELETE", _controller("replicaset")),
        ("v1/serviceaccounts/token", "TokenRequest", "CREATE", NODE),
        ("v1/secrets", "Secret", "UPDATE", itself),
        ("v1/configmaps", "ConfigMap", "UPDATE", itself),
        (LEASES, "Lease", "UPDATE", itself),
        (SLICES, "EndpointSlice", "UPDATE", _controller("endpointslice")),
    ):
        body = pod if kind == "Pod" else None
        request = _request(operation, where, kind, user, f"{namespace}/{name}", body)
        yield Rescue(f"its own {kind}s in {namespace}", request)
