"""Which NetworkPolicies are Netreeve's own, by the labels it writes on them."""

from __future__ import annotations

from policies.network_policies.views import NetworkPolicy

MANAGED_BY = "app.kubernetes.io/managed-by"
NETREEVE = "netreeve"
BASELINE = "netreeve.io/baseline"
"""On a namespace: the baseline it is under. On a policy: the baseline it is a part of."""
DEFAULT_DENY = "default-deny"
"""The name of a baseline's last policy: where it stands, the whole baseline does."""

NAMESPACE_UID = "netreeve.io/namespace-uid"
"""On a policy: the uid of the namespace it was written for, which may have gone since."""


def is_managed(policy: NetworkPolicy) -> bool:
    """Whether a policy carries the labels of a baseline. Labels prove nothing about its author."""
    labels = (policy.metadata and policy.metadata.labels) or {}
    return labels.get(MANAGED_BY) == NETREEVE and BASELINE in labels


def covers(policy: NetworkPolicy, namespace_uid: str) -> bool:
    """Whether this is the last policy of a baseline, written for this very namespace."""
    meta = policy.metadata
    return (
        meta is not None
        and meta.name == DEFAULT_DENY
        and is_managed(policy)
        and (meta.annotations or {}).get(NAMESPACE_UID) == namespace_uid
    )
