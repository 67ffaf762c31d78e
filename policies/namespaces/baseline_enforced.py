"""baseline-enforced: whoever creates a namespace under a baseline hears where nothing enforces it.

Field: metadata.labels[netreeve.io/baseline] of a Namespace, on CREATE. Allowed: everything where a
CNI plugin enforces NetworkPolicies, or where nobody knows whether one does; namespaces without
baseline; and everything while baselines are switched off.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.baseline.config import BaselineConfig
from policies.model import CREATE, Action, Policy, Request, Rule, Violation
from policies.network_policies.managed import BASELINE
from policies.objects import Namespace


def validate(namespace: Namespace, request: Request, config: BaselineConfig) -> Iterator[Violation]:
    labels = (namespace.metadata and namespace.metadata.labels) or {}
    if config.enabled and request.cluster.notEnforced and BASELINE in labels:
        yield Violation(
            f"metadata.labels[{BASELINE}]",
            f"must be enforced: {request.cluster.notEnforced}",
            "let an administrator switch network policies on in the CNI plugin, or add one that "
            "has them",
        )


POLICY = Policy(
    id="baseline-enforced",
    title="A baseline is enforced by the CNI plugin",
    why=(
        "The API server stores NetworkPolicies whether or not anything enforces them. Where the "
        "CNI plugin does not, a namespace has its baseline and looks protected, but is open to "
        "every pod of the cluster. The controller finds out which plugin runs and how it is set "
        "up; netreeve baseline show says by what it was recognised."
    ),
    fix=(
        "Switch network policies on in the CNI plugin, or install one that enforces them; existing "
        "baselines take effect from then on. Until then, do not rely on them."
    ),
    rules=(Rule("", "namespaces", frozenset({CREATE})),),
    standard=Action.WARN,
    strict=Action.WARN,
    params=BaselineConfig,
    validate=validate,
)
