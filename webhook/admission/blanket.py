"""Blanket exemptions: those of the configuration, and that of an object's namespace."""

from __future__ import annotations

from collections.abc import Sequence

from policies.model import DELETE, Request
from webhook.admission.claiming import Case
from webhook.admission.cluster import Cluster
from webhook.admission.refusals import exempt_until
from webhook.admission.verdict import Exempt
from webhook.exemptions.config import Grant
from webhook.exemptions.owners import Workload
from webhook.exemptions.standing import Annotations, Place, Terms, Trust, proven, standing


class BlanketExemptions:
    """granted: by the configuration. cluster: None where nothing is known of namespaces."""

    def __init__(self, granted: Sequence[Grant], cluster: Cluster | None, trust: Trust) -> None:
        self._granted, self._cluster, self._trust = granted, cluster, trust

    def cover(self, request: Request) -> bool:
        """Whether there are any for the object of a request."""
        if request.operation == DELETE:
            return False
        return bool(self._granted or (self._cluster and self._cluster.exemption(request.namespace)))

    def lifting(self, policy: str, case: Case, terms: Terms) -> Exempt | None:
        """The one that exempts from a policy, if any."""
        for grant in self._granted:
            if grant.covers(policy, case.request, case.now):
                return exempt_until("configuration", grant.reason, grant.ends, case.now)
        request = case.request
        if self._cluster is None or not request.namespace or request.resource == "namespaces":
            return None
        annotations = self._cluster.exemption(request.namespace)
        if not annotations:
            return None
        return self._from_namespace(annotations, policy, case, terms)

    def _from_namespace(
        self, annotations: Annotations, policy: str, case: Case, terms: Terms
    ) -> Exempt | None:
        place = Place("", Workload("Namespace", case.request.namespace))
        if self._trust is Trust.ASK:
            found = proven(annotations, place, terms)
            if found is None or not found[0].names(policy) or found[0].ended(case.now):
                return None
            claim, stamp = found
            return exempt_until("namespace", claim.reason, claim.until, case.now, by=stamp.by)
        how = standing(annotations, {}, place, terms, case.now, created=True)
        if how is None or how.counts_until(case.now) or not how.claim.names(policy):
            return None
        granted = self._trust is Trust.ACCEPT
        return exempt_until(
            "namespace", how.claim.reason, how.claim.until, case.now, granted=granted
        )
