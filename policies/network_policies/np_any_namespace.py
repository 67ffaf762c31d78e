"""np-any-namespace: a peer in every namespace is a peer that anyone can be.

Fields: spec.ingress[*].from[*].namespaceSelector, spec.egress[*].to[*].namespaceSelector.
Allowed: absent, and selectors that leave some namespaces out.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.labels import NAME_LABEL
from policies.model import Action, NoParams, Policy, Request, Violation
from policies.network_policies.effective import EVERY_POD
from policies.network_policies.managed import is_managed
from policies.network_policies.reading import NETWORK_POLICIES, PeerAt, peers
from policies.network_policies.selected import requirements
from policies.network_policies.views import NetworkPolicy
from policies.selectors import LabelSelector

_CLUSTER_DNS = ("kube-dns", "coredns")


def validate(policy: NetworkPolicy, request: Request, params: NoParams) -> Iterator[Violation]:
    if is_managed(policy):
        return
    for one in peers(policy):
        selector = one.peer.namespaceSelector
        if selector is not None and selects_every_namespace(selector):
            yield Violation(
                f"{one.field}.namespaceSelector",
                # What to do stands first: little more fits into a warning.
                f"must select {NAME_LABEL}, not every namespace: {_who(one)}",
                f"name {_namespace(one)}",
                keys=(one.key,),
            )


def selects_every_namespace(selector: LabelSelector) -> bool:
    """Whether no namespace is left out: nothing is required, or what each of them has."""
    return all(one.key == NAME_LABEL and one.operator == "Exists" for one in requirements(selector))


def _who(one: PeerAt) -> str:
    if (one.peer.podSelector or EVERY_POD) == EVERY_POD:
        return "any pod of the cluster is a peer"
    return "anyone can run such a pod"


def _namespace(one: PeerAt) -> str:
    pods = one.peer.podSelector or EVERY_POD
    wanted = {value for needed in requirements(pods) for value in needed.values or ()}
    return (
        "kube-system, where the cluster's DNS is"
        if wanted & {*_CLUSTER_DNS}
        else "the one that is meant"
    )


POLICY = Policy(
    id="np-any-namespace",
    title="A NetworkPolicy says which namespaces it means",
    why=(
        "An empty namespaceSelector selects every namespace, those of other teams included. A "
        "podSelector beside it does not help: labels of pods are free, and whoever may create a "
        "pod somewhere can give it k8s-app: kube-dns and then receives what is meant for the "
        "cluster's DNS."
    ),
    fix=(
        f"Select namespaces by {NAME_LABEL}, which the API server sets to the name of each "
        "namespace and nobody can change: matchLabels for one, matchExpressions with In for "
        "several. The cluster's DNS is in kube-system, on OpenShift in openshift-dns."
    ),
    rules=NETWORK_POLICIES,
    standard=Action.WARN,
    strict=Action.WARN,
    params=NoParams,
    validate=validate,
)
