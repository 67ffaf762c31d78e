"""np-allow-all: a rule without peers and ports allows everything.

Fields: spec.ingress[*], spec.egress[*], where policyTypes has the direction. Allowed: a rule with
peers or ports; an empty one where the policy's name or annotation says that it is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.model import Action, NoParams, Policy, Request, Violation
from policies.network_policies.effective import Direction, selector
from policies.network_policies.managed import is_managed
from policies.network_policies.reading import NETWORK_POLICIES, content, rules
from policies.network_policies.views import NetworkPolicy
from policies.objects import ObjectMeta

INTENDED = "netreeve.io/allow-all"
"""Annotation: ``ingress``, ``egress``, or both with a comma between them."""

_NAMED = re.compile(r"(?:.*-)?allow-all(?:-(ingress|egress))?")


def validate(policy: NetworkPolicy, request: Request, params: NoParams) -> Iterator[Violation]:
    if is_managed(policy):
        return
    pods = content(selector(policy))
    intended = {one for one in Direction if _is_intended(policy.metadata, one)}
    for rule in rules(policy):
        if rule.everything and rule.direction not in intended:
            yield Violation(
                rule.field,
                "must not be empty: it allows every peer on every port",
                f"name peers and ports, or call the policy allow-all-{rule.direction.rules}",
                keys=(f"{rule.direction.value} {pods}",),
            )


def _is_intended(metadata: ObjectMeta | None, direction: Direction) -> bool:
    """A name such as allow-all, shop-allow-all-egress; allow-all-from-shop says something else."""
    if metadata is None:
        return False
    named = _NAMED.fullmatch(metadata.name or "")
    if named and named[1] in (None, direction.rules):
        return True
    annotated = (metadata.annotations or {}).get(INTENDED, "")
    return direction.rules in (word.strip() for word in annotated.split(","))


POLICY = Policy(
    id="np-allow-all",
    title="A rule of a NetworkPolicy names peers or ports",
    why=(
        "In a rule of a NetworkPolicy what is left out means any: a rule without from (or to) and "
        "without ports, as in `ingress: [{}]`, allows every peer on every port, and so undoes what "
        "all other policies isolate. An empty list of peers is no different. To allow nothing, "
        "leave out the rule and not its content."
    ),
    fix=(
        "Name the peers and ports in the rule. To deny everything name the direction in "
        "policyTypes and write no rule. If everything is meant, say so: call the policy "
        f"allow-all-ingress or allow-all-egress, or annotate it with {INTENDED}: ingress."
    ),
    rules=NETWORK_POLICIES,
    standard=Action.WARN,
    strict=Action.DENY,
    params=NoParams,
    validate=validate,
)
