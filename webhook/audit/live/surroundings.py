"""What the gate asks of the cluster around an object, read once at the start of an audit."""

from __future__ import annotations

from collections.abc import Mapping

from policies.model import ClusterFacts
from policies.network_policies.views import NetworkPolicy
from webhook.admission.cluster import Offline


class Surroundings(Offline):
    """labels: by namespace. policies: by namespace; None where they could not be read.
    exemptions: by namespace, its annotations about one.

    Whether a namespace has its baseline is no question here: what is judged runs already.
    """

    def __init__(
        self,
        labels: Mapping[str, Mapping[str, str]],
        policies: Mapping[str, tuple[NetworkPolicy, ...]] | None,
        facts: ClusterFacts,
        exemptions: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._labels = labels
        self._policies = policies
        self._facts = facts
        self._exemptions = exemptions

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        return self._labels.get(namespace)

    def network_policies(self, namespace: str) -> tuple[NetworkPolicy, ...] | None:
        return None if self._policies is None else self._policies.get(namespace, ())

    def exemption(self, namespace: str) -> Mapping[str, str]:
        return self._exemptions.get(namespace, {})

    def facts(self) -> ClusterFacts:
        return self._facts
