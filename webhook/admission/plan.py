"""Which policies judge which requests, with which action and parameters: fixed at start.

Turns a Ruleset, the resolved part of a configuration, into look-up tables so that a request
costs one look-up. Knows no objects and no wire format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from policies.model import Action, Policy, Rule
from policies.resources import BUILT_IN, Resource, by_resource, custom
from policies.selectors import LabelSelector
from policies.workloads import WORKLOADS, CustomWorkload
from webhook.admission import proof
from webhook.exemptions.config import ExemptionsConfig

Body = bytes | msgspec.Raw
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What decoding hostile bytes can raise: bad JSON or shape, nesting, bytes that are not UTF-8."""

NAME_LABEL = "kubernetes.io/metadata.name"
"""Set by the API server to the name of each namespace, and kept so."""

NO_EXEMPTIONS_CONFIGURED = ExemptionsConfig()


@dataclass(frozen=True)
class Setting:
    """How one policy is applied: its action and its parameters."""

    action: Action
    params: Any


@dataclass(frozen=True)
class Step:
    """A policy with its setting, and the settings of namespaces that a selector picks."""

    policy: Policy[Any, Any]
    setting: Setting
    overrides: tuple[tuple[LabelSelector, Setting], ...] = ()

    def settings(
        self, labels: Mapping[str, str] | None, namespace: str = ""
    ) -> tuple[Setting, ...]:
        """The setting for a namespace with these labels: the first override that matches wins.

        With unknown labels (None) all that may hold are returned: the caller takes the worst
        outcome, and nothing is admitted because a cache was empty. The label that Kubernetes
        itself sets to the name of the namespace is always known.
        """
        if not self.overrides:
            return (self.setting,)
        if labels is None:
            return self._possible({NAME_LABEL: namespace} if namespace else {})
        for selector, setting in self.overrides:
            if selector.matches(labels):
                return (setting,)
        return (self.setting,)

    def _possible(self, known: Mapping[str, str]) -> tuple[Setting, ...]:
        """The settings that may hold where only these labels are known, a certain one first."""
        possible: list[Setting] = []
        for selector, setting in self.overrides:
            matches = selector.decides(known)
            if matches:
                return (setting, *possible)
            if matches is None:
                possible.append(setting)
        return (self.setting, *possible)

    @property
    def enabled(self) -> bool:
        return any(
            setting.action is not Action.OFF
            for setting in (self.setting, *(setting for _, setting in self.overrides))
        )


@dataclass(frozen=True)
class Ruleset:
    """A configuration as the gate needs it: every policy with its setting, nothing optional.

    workloads: custom kinds, judged by every policy that judges all built-in workloads.
    """

    steps: tuple[Step, ...]
    workloads: tuple[CustomWorkload, ...] = ()
    excluded_namespaces: frozenset[str] = frozenset()
    exemptions: ExemptionsConfig = NO_EXEMPTIONS_CONFIGURED


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
