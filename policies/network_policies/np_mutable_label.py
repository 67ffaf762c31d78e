"""np-mutable-label: whoever may label a namespace can join a peer that is selected by label.

Fields: spec.ingress[*].from[*].namespaceSelector, spec.egress[*].to[*].namespaceSelector. Allowed:
kubernetes.io/metadata.name, labels of the parameter allowedLabels, and any label beside names
that are listed.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policies.labels import NAME_LABEL
from policies.model import Action, Policy, Request, Violation
from policies.network_policies.managed import is_managed
from policies.network_policies.reading import NETWORK_POLICIES, content, peers
from policies.network_policies.selected import requirements
from policies.network_policies.views import NetworkPolicy
from policies.selectors import LabelSelector


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which labels of namespaces can be trusted.

    allowedLabels: keys that only administrators can set, compared exactly; in addition to
        kubernetes.io/metadata.name.
    """

    allowedLabels: frozenset[str] = frozenset()


def validate(policy: NetworkPolicy, request: Request, params: Params) -> Iterator[Violation]:
    if is_managed(policy):
        return
    for one in peers(policy):
        selector = one.peer.namespaceSelector
        if selector is None or _lists_names(selector):
            continue
        for needed, field in zip(requirements(selector), _fields(selector), strict=True):
            if needed.key != NAME_LABEL and needed.key not in params.allowedLabels:
                yield Violation(
                    f"{one.field}.namespaceSelector.{field}",
                    # What to do stands first: little more fits into a warning.
                    f"must be {NAME_LABEL}: a namespace's owner sets {needed.key}",
                    f"select by name; an administrator can list {needed.key} in allowedLabels",
                    keys=(f"{one.rule.direction.value} {content(needed)}",),
                )


def _lists_names(selector: LabelSelector) -> bool:
    """Whether only namespaces of listed names match: all else then narrows the choice further."""
    return any(one.key == NAME_LABEL and one.operator == "In" for one in requirements(selector))


def _fields(selector: LabelSelector) -> Iterator[str]:
    """The field of each requirement, in the order of `requirements`."""
    for key in selector.matchLabels or {}:
        yield f"matchLabels[{key}]"
    for position, _ in enumerate(selector.matchExpressions or ()):
        yield f"matchExpressions[{position}].key"


POLICY = Policy(
    id="np-mutable-label",
    title="A NetworkPolicy selects namespaces by labels that nobody can fake",
    why=(
        "Labels of namespaces are free: whoever may create or change a namespace can give it "
        "environment: production, and its pods become peers of every policy that selects by this "
        "label. With NotIn and DoesNotExist it is enough not to set it. Only "
        f"{NAME_LABEL} is set by the API server and cannot be changed."
    ),
    fix=(
        f"Select namespaces by {NAME_LABEL}; matchExpressions with In takes several names. If "
        "only administrators can set the label, because another policy guards it, an "
        "administrator can list it in allowedLabels."
    ),
    rules=NETWORK_POLICIES,
    standard=Action.WARN,
    strict=Action.WARN,
    params=Params,
    validate=validate,
)
