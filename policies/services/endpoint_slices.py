"""endpoint-slices: endpoints that users write lead to pods or hosts outside, not to the node.

Fields: endpoints[*].addresses of EndpointSlices, subsets[*].addresses and notReadyAddresses of
Endpoints, unless the requester is one of the parameter trustedControllers: labels and owner
references prove nothing. Not allowed: loopback, link-local, metadata servers, addresses of nodes;
in slices of FQDNs the same by name, and names of other namespaces inside the cluster domain; and
any endpoint at all of default/kubernetes, which is the API server. The controllers copy Endpoints
into EndpointSlices, so both are judged.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policies.model import Action, ClusterFacts, Policy, Request, Rule, Violation
from policies.objects import Endpoints, EndpointSlice, ObjectMeta
from policies.services.addresses import behind, inside, networks, parse_strict, special
from policies.services.destinations import (
    forbidden,
    normal,
    other_namespace,
    pod_address,
)
from policies.services.lengths import MOST_ADDRESSES, too_long
from policies.services.ports import keys_of
from policies.services.requesters import is_one_of

FQDN = "FQDN"
SERVICE_NAME = "kubernetes.io/service-name"
API_SERVER = ("default", "kubernetes")
"""Namespace and name of its Service; the API server writes the endpoints itself."""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is trusted, and where the nodes are.

    trustedControllers: users and groups whose endpoints are not judged; the default is what
        Kubernetes itself writes them with.
    nodeCIDRs: networks of nodes, in addition to the addresses in the status of the cluster's nodes.
    clusterDomain: the DNS domain of the cluster, as the kubelet's clusterDomain.
    """

    trustedControllers: frozenset[str] = frozenset(
        {
            # kubernetes/kubernetes cmd/kube-controller-manager, with and without
            # --use-service-account-credentials
            "system:serviceaccount:kube-system:endpoint-controller",
            "system:serviceaccount:kube-system:endpointslice-controller",
            "system:serviceaccount:kube-system:endpointslicemirroring-controller",
            "system:kube-controller-manager",
            # pkg/controlplane/reconcilers: the endpoints of the API server itself
            "system:apiserver",
        }
    )
    nodeCIDRs: tuple[str, ...] = ()
    clusterDomain: str = "cluster.local"

    def __post_init__(self) -> None:
        networks(self.nodeCIDRs)


def validate(
    endpoints: EndpointSlice | Endpoints, request: Request, params: Params
) -> Iterator[Violation]:
    if is_one_of(request.user, params.trustedControllers):
        return
    if long := too_long(*_length(endpoints), MOST_ADDRESSES):
        yield long
        return
    if (request.namespace, _service(endpoints)) == API_SERVER:
        yield _of_the_api_server(endpoints)
    names = isinstance(endpoints, EndpointSlice) and endpoints.addressType == FQDN
    told: tuple[str, ...] = ()
    for field, text, ports in _addresses(endpoints):
        if names:
            what = _forbidden_name(normal(text), request.namespace, params)
        else:
            what = _forbidden(text, request.cluster, params)
        if what:
            fix = "list addresses of pods or of hosts outside; select pods by a Service's selector"
            # Another port reaches something else there; one denial is enough to say so.
            new = () if ports is told else ports
            keys = (f"to {parse_strict(text) or normal(text)}", *new)
            yield Violation(field, f"must not be {what}", fix, keys)
            told = ports


def _service(endpoints: EndpointSlice | Endpoints) -> str | None:
    """The Service that they are of."""
    meta = endpoints.metadata or ObjectMeta()
    if isinstance(endpoints, EndpointSlice):
        return (meta.labels or {}).get(SERVICE_NAME)
    return meta.name


def _of_the_api_server(endpoints: EndpointSlice | Endpoints) -> Violation:
    of_slice = isinstance(endpoints, EndpointSlice)
    return Violation(
        f"metadata.labels[{SERVICE_NAME}]" if of_slice else "metadata.name",
        "must not be kubernetes: every client would take these for the API server, and baselines "
        "that allow it would open there",
        "leave the endpoints of the API server to it; name a Service of your own",
        keys=("API server", *(f"API server at {text}" for _, text, _ in _addresses(endpoints))),
    )


def _length(endpoints: EndpointSlice | Endpoints) -> tuple[str, int]:
    """The list and how many addresses it holds, an element without any counted as one."""
    if isinstance(endpoints, EndpointSlice):
        found = (endpoints.endpoints or [])[: MOST_ADDRESSES + 1]
        return "endpoints", sum(len(one.addresses or ()) or 1 for one in found)
    subsets = (endpoints.subsets or [])[: MOST_ADDRESSES + 1]
    both = (len(one.addresses or ()) + len(one.notReadyAddresses or ()) or 1 for one in subsets)
    return "subsets", sum(both)


def _addresses(
    endpoints: EndpointSlice | Endpoints,
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every address with its field path, and the keys of its ports."""
    if isinstance(endpoints, EndpointSlice):
        ports = keys_of(endpoints.ports)
        for index, endpoint in enumerate(endpoints.endpoints or ()):
            for position, text in enumerate(endpoint.addresses or ()):
                yield f"endpoints[{index}].addresses[{position}]", text, ports
        return
    for index, subset in enumerate(endpoints.subsets or ()):
        ports = keys_of(subset.ports)
        for name, addresses in (
            ("addresses", subset.addresses),
            ("notReadyAddresses", subset.notReadyAddresses),
        ):
            for position, address in enumerate(addresses or ()):
                if address.ip:
                    yield f"subsets[{index}].{name}[{position}].ip", address.ip, ports


def _forbidden_name(name: str, namespace: str, params: Params) -> str | None:
    domain = normal(params.clusterDomain)
    return forbidden(name) or pod_address(name, domain) or other_namespace(name, namespace, domain)


def _forbidden(text: str, cluster: ClusterFacts, params: Params) -> str | None:
    address = parse_strict(text)
    if address is None:  # leading zeros: decimal to Kubernetes, octal to others
        return f"anything but an address in canonical notation, not {text!r}"
    if kind := special(address):
        return f"{kind} ({address})"
    address = behind(address)
    if str(address) in cluster.nodeAddresses or inside(address, networks(params.nodeCIDRs)):
        return f"the address of a node ({address})"
    return None


POLICY = Policy(
    id="endpoint-slices",
    title="Endpoints written by users stay away from nodes",
    why=(
        "Whoever may write an EndpointSlice or Endpoints can aim a Service at any address: at the "
        "kubelet and everything else on a node, at a node's loopback, at the cloud's metadata "
        "server. Gateways and Ingress controllers then connect there on behalf of others, past "
        "NetworkPolicies that only know pods. Endpoints of default/kubernetes are the API server "
        "to every client, and to baselines that allow it."
    ),
    fix=(
        "Let a Service select its pods; write endpoints only for hosts outside the cluster. A "
        "controller of your own is added to trustedControllers by an administrator."
    ),
    rules=(Rule("discovery.k8s.io", "endpointslices"), Rule("", "endpoints")),
    standard=Action.WARN,
    strict=Action.DENY,
    params=Params,
    validate=validate,
)
