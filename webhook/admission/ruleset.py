"""A configuration as the gate needs it: each policy with its action and its parameters.

Owns which setting holds in which namespace. Knows no objects and no wire format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.labels import NAME_LABEL
from policies.model import Action, Policy
from policies.selectors import LabelSelector
from policies.workloads import CustomWorkload
from webhook.exemptions.config import ExemptionsConfig

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
