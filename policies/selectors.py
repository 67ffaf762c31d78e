"""Label selectors with the semantics of the API server (metav1.LabelSelector)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


class LabelSelectorRequirement(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True
):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] | None = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """NotIn and DoesNotExist also match labels without the key, as in Kubernetes."""
        value = labels.get(self.key)
        if self.operator == "In":
            return value is not None and value in (self.values or ())
        if self.operator == "NotIn":
            return value is None or value not in (self.values or ())
        return (value is not None) == (self.operator == "Exists")

    def decides(self, known: Mapping[str, str]) -> bool | None:
        return self.matches(known) if self.key in known else None


class LabelSelector(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An empty selector matches everything. Its fields may be null, as templates leave them."""

    matchLabels: dict[str, str] | None = {}
    matchExpressions: tuple[LabelSelectorRequirement, ...] | None = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(
            labels.get(key) == value for key, value in (self.matchLabels or {}).items()
        ) and all(requirement.matches(labels) for requirement in self.matchExpressions or ())

    def decides(self, known: Mapping[str, str]) -> bool | None:
        """Whether it matches labels of which only these are known; None if others decide."""
        answers = {
            known[key] == value if key in known else None
            for key, value in (self.matchLabels or {}).items()
        } | {requirement.decides(known) for requirement in self.matchExpressions or ()}
        return False if False in answers else None if None in answers else True
