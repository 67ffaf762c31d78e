"""Does anybody enforce NetworkPolicies here?"""

from __future__ import annotations

from collections.abc import Iterator

from policies.baseline.cni import enforcement
from webhook.config import GateConfig
from webhook.doctor.finding import Check, Finding, error, info
from webhook.doctor.seen import Seen

NOT_ENFORCED = error(
    "not-enforced", "NetworkPolicies, baselines among them, are stored and have no effect."
)
NOT_KNOWN = info("enforcement-unknown", "Nothing recognised tells whether NetworkPolicies work.")
NOTE = info("enforcement-note", "What this network plugin does differently.")


def run(seen: Seen) -> Iterator[Finding]:
    if seen.facts is None or not (seen.config or GateConfig()).baseline.enabled:
        return
    found = enforcement(seen.facts)
    evidence = [f"{one.title}: {'; '.join(one.evidence)}" for one in found.plugins]
    where = "network plugin"
    if found.state == "not-enforcing":
        remedy = "enable NetworkPolicies in the network plugin, or install one that has them"
        yield NOT_ENFORCED.found(where, found.reason, remedy, evidence)
    elif found.state == "unknown":
        remedy = "try it: a pod under a default-deny must not be reachable from another pod"
        yield NOT_KNOWN.found(where, found.reason, remedy, evidence)
    for note in found.notes:
        yield NOTE.found(where, note, "docs/baseline.md says what follows")


CHECK = Check(
    id="enforcement",
    title="the network plugin enforces NetworkPolicies",
    kinds=(NOT_ENFORCED, NOT_KNOWN, NOTE),
    run=run,
    needs=("facts",),
)
