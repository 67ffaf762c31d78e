"""Is DNS found, so that a default-deny does not cut it off?"""

from __future__ import annotations

from collections.abc import Iterator

from policies.baseline.objects import environment
from webhook.config import GateConfig
from webhook.doctor.finding import Check, Finding, error, warning
from webhook.doctor.seen import Seen

NOT_FOUND = error(
    "dns-not-found", "New namespaces wait for their baseline, and their pods with them."
)
PROBLEM = warning("dns-problem", "Pods under a baseline may not resolve names.")
REMEDIES = {"DnsWithoutTcp": "let the Service and its pods answer over TCP as well"}


def run(seen: Seen) -> Iterator[Finding]:
    config = (seen.config or GateConfig()).baseline
    if seen.facts is None or not config.enabled:
        return
    for one in environment(config, seen.facts).dns.problems:
        kind = NOT_FOUND if one.reason == "DnsNotFound" else PROBLEM
        found = "set baseline.dns in the configuration (docs/baseline.md)"
        remedy = REMEDIES.get(one.reason, found)
        yield kind.found("DNS of the cluster", f"{one.reason}: {one.message}", remedy)


CHECK = Check(
    id="dns",
    title="DNS is found, and the baseline lets pods reach it",
    kinds=(NOT_FOUND, PROBLEM),
    run=run,
    needs=("facts",),
)
