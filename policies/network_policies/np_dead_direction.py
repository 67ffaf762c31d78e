"""np-dead-direction: what is said about a direction that policyTypes leaves out has no effect.

Fields: spec.ingress, spec.egress, metadata.name. Allowed: rules of the directions in policyTypes.
The API server fills in policyTypes before any webhook sees the object, so a policy without them is
dead only in a manifest: `egress: []` does not isolate, since the default names Egress only where
there are rules (networking/v1 defaults.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.model import Action, NoParams, Policy, Request, Violation
from policies.network_policies.effective import Direction, types
from policies.network_policies.managed import is_managed
from policies.network_policies.reading import NETWORK_POLICIES
from policies.network_policies.views import NetworkPolicy, NetworkPolicySpec


def validate(policy: NetworkPolicy, request: Request, params: NoParams) -> Iterator[Violation]:
    spec = policy.spec
    if spec is None or is_managed(policy):
        return
    for direction in Direction:
        if direction in types(spec):
            continue
        name = direction.value
        if _written(spec, direction):
            yield Violation(
                f"spec.{direction.rules}",
                f"has no effect: policyTypes does not name {name}",
                f"add {name} to spec.policyTypes, or remove the field",
                keys=(name,),
            )
        elif _promises(policy, direction):
            yield Violation(
                "spec.policyTypes",
                f"must name {name}, which the name of the policy says it denies",
                f"add {name} to spec.policyTypes, or rename the policy",
                keys=(name,),
            )


def _written(spec: NetworkPolicySpec, direction: Direction) -> bool:
    """Rules; or an empty list without any policyTypes, which can only be meant to deny."""
    rules = spec.ingress if direction is Direction.INGRESS else spec.egress
    return bool(rules) or (rules is not None and not spec.policyTypes)


def _promises(policy: NetworkPolicy, direction: Direction) -> bool:
    """Whether the name says that this direction is denied: deny-egress, default-deny-all-egress."""
    name = (policy.metadata and policy.metadata.name) or ""
    return re.search(rf"(?:^|-)deny-(?:all-)?{direction.rules}(?:-|$)", name) is not None


POLICY = Policy(
    id="np-dead-direction",
    title="A NetworkPolicy names in policyTypes what it speaks of",
    why=(
        "A NetworkPolicy acts only on the directions in policyTypes. Egress rules under "
        "policyTypes: [Ingress] are accepted and ignored: the pods look restricted and are not. "
        "Where policyTypes is left out, it becomes Ingress, and Egress only if there are egress "
        "rules, so `egress: []` alone denies nothing."
    ),
    fix="Name in spec.policyTypes every direction that the policy is for, or remove the rules.",
    rules=NETWORK_POLICIES,
    standard=Action.WARN,
    strict=Action.DENY,
    params=NoParams,
    validate=validate,
)
