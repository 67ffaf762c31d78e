"""Which NetworkPolicies are Netreeve's own, by the labels it writes on them."""

from __future__ import annotations

from policies.network_policies.views import NetworkPolicy, NetworkPolicySpec

MANAGED_BY = "app.kubernetes.io/managed-by"
NETREEVE = "netreeve"
BASELINE = "netreeve.io/baseline"
"""On a namespace: the baseline it is under. On a policy: the baseline it is a part of."""
OUR_LABELS = (MANAGED_BY, BASELINE)
ALLOW_DNS = "allow-dns"
DEFAULT_DENY = "default-deny"
"""The name of a baseline's last policy: where it stands, the whole baseline does."""

TYPES = {"Ingress", "Egress"}
STATUS = "netreeve.io/baseline-status"
"""On a namespace: how it stands, and what it had, as the controller has written it."""
NAMESPACE_UID = "netreeve.io/namespace-uid"
"""On a policy: the uid of the namespace it was written for, which may have gone since."""


def is_managed(policy: NetworkPolicy) -> bool:
    """Whether a policy carries the labels of a baseline. Labels prove nothing about its author."""
    labels = (policy.metadata and policy.metadata.labels) or {}
    return labels.get(MANAGED_BY) == NETREEVE and BASELINE in labels


def covers(policy: NetworkPolicy, namespace_uid: str) -> bool:
    """Whether this is the last policy of a baseline, for this very namespace and unchanged.

    Of labels and annotations alone nothing is denied.
    """
    meta = policy.metadata
    return (
        meta is not None
        and meta.name == DEFAULT_DENY
        and is_managed(policy)
        and (meta.annotations or {}).get(NAMESPACE_UID) == namespace_uid
        and denies_everything(policy.spec)
    )


def denies_everything(spec: NetworkPolicySpec | None) -> bool:
    """Selects every pod, speaks to both directions and allows nothing in either."""
    if spec is None:
        return False
    selector = spec.podSelector
    every_pod = selector is None or not (selector.matchLabels or selector.matchExpressions)
    return every_pod and set(spec.policyTypes or ()) == TYPES and not (spec.ingress or spec.egress)
