"""Which policies judge which requests: fixed at start.

Turns a Ruleset into a table, so that a request costs one look-up. Knows no wire format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from policies.model import Action, Policy, Rule
from policies.resources import BUILT_IN, Resource, by_resource, custom
from policies.workloads import WORKLOADS, CustomWorkload
from webhook.admission import proof
from webhook.admission.ruleset import Ruleset, Setting, Step

Body = bytes | msgspec.Raw
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What decoding hostile bytes can raise: bad JSON or shape, nesting, bytes that are not UTF-8."""


@dataclass(frozen=True)
class Lane:
    """What happens to one kind of request: how to read the object and who judges it.

    early: those of the validating that judge in the mutating pass as well.
    compares: some policy wants to see the old object of an UPDATE.
    """

    resource: Resource
    validating: tuple[Step, ...]
    mutating: tuple[Step, ...]
    early: tuple[Step, ...]
    compares: bool

    def read(self, body: Body | None) -> Any:
        """The view of an object. Raises one of UNREADABLE, for null and what is too large too."""
        most = self.resource.most_bytes
        if body is not None and len(body) > most:
            raise msgspec.ValidationError(f"at most {most >> 10} KiB, got {len(body) >> 10} KiB")
        view = None if body is None else self.resource.decode(body)
        if view is None:
            raise msgspec.ValidationError("Expected `object`, got `null`")
        return view


Key = tuple[str, str, str]
"""(operation, group, ``resource`` or ``resource/subresource``)"""


def lanes(ruleset: Ruleset) -> dict[Key, Lane]:
    """The look-up table from a request to its Lane."""
    resources = by_resource((*BUILT_IN, proof.READER, *map(custom, ruleset.workloads)))
    steps: dict[Key, list[Step]] = {}
    for step in (*ruleset.steps, _PROOF):
        if step.enabled:
            for rule in _rules(step.policy, ruleset.workloads):
                for operation in rule.operations:
                    steps.setdefault((operation, rule.group, rule.resource), []).append(step)
    return {
        key: _lane(resources[key[1], key[2].partition("/")[0]], chosen)
        for key, chosen in steps.items()
    }


_PROOF = Step(proof.POLICY, Setting(Action.DENY, proof.POLICY.params()))
"""In every ruleset, whatever the configuration says."""


def _lane(resource: Resource, steps: Sequence[Step]) -> Lane:
    return Lane(
        resource,
        tuple(step for step in steps if step.policy.validate),
        tuple(step for step in steps if step.policy.mutate),
        tuple(step for step in steps if step.policy.early),
        any(step.policy.compares for step in steps),
    )


def _rules(policy: Policy[Any, Any], workloads: Iterable[CustomWorkload]) -> Iterable[Rule]:
    yield from policy.rules
    if set(WORKLOADS) <= set(policy.rules):
        yield from (Rule(workload.group, workload.resource) for workload in workloads)
