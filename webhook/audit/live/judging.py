"""One stored object through the gate: its request, the verdict, and the row of a report.

The same for a scan page by page and for the audit in the background. Knows no connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from policies.model import CREATE, Request
from policies.resources import Resource
from webhook.admission.cluster import Cluster
from webhook.admission.gate import Gate, Review
from webhook.admission.ruleset import Ruleset
from webhook.admission.verdict import Finding
from webhook.audit.check import found
from webhook.audit.findings import Result, status_of
from webhook.audit.live.provenance import Provenance
from webhook.audit.live.stored import Stored, StoredPod, StoredService
from webhook.exemptions.stamp import KeyRing, Keys
from webhook.exemptions.standing import Trust

_VIEWS: dict[str, type[Stored]] = {"services": StoredService, "pods": StoredPod}


class Kind:
    """A resource with the apiVersion that it is read in."""

    def __init__(self, resource: Resource, version: str) -> None:
        self.resource = resource
        self.version = version
        self._decode = msgspec.json.Decoder(_VIEWS.get(resource.resource, Stored)).decode

    def read(self, body: bytes | msgspec.Raw) -> Stored:
        """What tells where an object came from; nothing of one that cannot be read.

        That is a custom resource without a schema; the gate says what is wrong with it.
        """
        try:
            return self._decode(body)
        except (msgspec.DecodeError, RecursionError):
            return Stored()


class Judge:
    """Asks the gate about what is stored. now: gives Unix time, because exemptions end.

    keys: of the stamps that prove exemptions; without them nobody can tell what is exempt, so
    nothing is, and exemptions are shown as claimed.
    """

    def __init__(
        self,
        rules: Ruleset,
        around: Cluster,
        provenance: Provenance,
        now: Callable[[], float],
        keys: Keys | None,
    ) -> None:
        self._now = now
        self._excluded = rules.excluded_namespaces
        trust = Trust.SHOW if keys is None else Trust.ASK
        self._gate = Gate(rules, around, keys=KeyRing(keys), trust=trust)
        self._provenance = provenance

    def excludes(self, stored: Stored) -> bool:
        return (stored.metadata.namespace or stored.metadata.name) in self._excluded

    def findings(
        self, kind: Kind, stored: Stored, body: bytes | msgspec.Raw
    ) -> tuple[Finding, ...]:
        """As if the object were created now, by whoever has written it."""
        if self.excludes(stored):
            return ()
        meta, resource = stored.metadata, kind.resource
        request = Request(
            operation=CREATE,
            group=resource.group,
            resource=resource.resource,
            kind=resource.kind,
            namespace=meta.namespace if resource.namespaced else meta.name,
            name=meta.name,
            user=self._provenance.author(resource, stored),
        )
        review = Review(request, body, now=self._now(), stored=True)
        return self._gate.validate(review).findings

    def result(self, kind: Kind, stored: Stored, findings: Iterable[Finding]) -> Result:
        """The row of a report."""
        meta, findings = stored.metadata, tuple(findings)
        of = (kind.version, kind.resource.kind, meta.namespace, meta.name)
        return Result(
            file="",
            line=0,
            apiVersion=kind.version,
            kind=kind.resource.kind,
            namespace=meta.namespace,
            name=meta.name,
            status="excluded" if self.excludes(stored) else status_of(findings),
            findings=tuple(found(one, of) for one in findings),
            created=meta.creationTimestamp,
        )
