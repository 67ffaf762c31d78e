"""Pods and ReplicaSets under the object they come from: one row for what one edit corrects.

A pod has what its template has. It is shown by itself only for what its template has not: an
ephemeral container, or what somebody has added on the way.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from webhook.admission.verdict import Finding
from webhook.audit.live.stored import Stored

_INTO_TEMPLATE = re.compile(r"^(?:spec\.jobTemplate\.)?(?:spec\.)?template\.")
"""Where the pod begins in the built-in kinds; what is below is written alike in all of them."""
Identity = tuple[str, str]
"""(policy, key or field path of the pod)"""


class Folding:
    """Remembers what was judged, by uid; owners have to come before what they own."""

    def __init__(self) -> None:
        self._judged: dict[str, tuple[str, frozenset[Identity]]] = {}
        self.folded: Counter[str] = Counter()
        """How many objects were folded into the one with this uid."""

    def own(self, stored: Stored, findings: Iterable[Finding]) -> tuple[Finding, ...] | None:
        """The findings that are the object's own; None where its controller stands for it."""
        found = tuple(findings)
        meta = stored.metadata
        owner = meta.controller
        root, known = self._judged.get(owner.uid, ("", frozenset())) if owner else ("", frozenset())
        identities = {one: _identities(one) for one in found}
        self._judged[meta.uid] = root or meta.uid, known.union(*identities.values())
        if not root:
            return found
        own = tuple(one for one in found if not identities[one] <= known)
        if own:
            return own
        self.folded[root] += 1
        return None


def _identities(finding: Finding) -> frozenset[Identity]:
    keys = finding.violation.identity
    return frozenset((finding.policy, _INTO_TEMPLATE.sub("", key)) for key in keys)
