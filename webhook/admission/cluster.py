"""What the gate asks of a live cluster, and a cluster of which nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from policies.model import NOTHING_KNOWN, Baseline, ClusterFacts
from policies.network_policies.views import NetworkPolicy


class Cluster(Protocol):
    """What the gate asks of a live cluster: snapshots from caches, never a request."""

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """The labels of a namespace; None when they are not known."""

    def baseline(self, namespace: str) -> Baseline | None:
        """How a namespace stands to the baseline; None where nobody can know."""

    def network_policies(self, namespace: str) -> tuple[NetworkPolicy, ...] | None:
        """The NetworkPolicies of a namespace; None when they are not known."""

    def facts(self) -> ClusterFacts:
        """Providers and node addresses as far as known."""

    def exemption(self, namespace: str) -> Mapping[str, str]:
        """The annotations of a namespace that are about an exemption; {} for none, or unknown."""


class Offline:
    """A cluster of which nothing is known; a start for those that know a little."""

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        return None

    def baseline(self, namespace: str) -> Baseline | None:
        return None

    def network_policies(self, namespace: str) -> tuple[NetworkPolicy, ...] | None:
        return None

    def facts(self) -> ClusterFacts:
        return NOTHING_KNOWN

    def exemption(self, namespace: str) -> Mapping[str, str]:
        return {}
