"""Which other policy engines judge here as well?"""

from __future__ import annotations

from collections.abc import Iterator

from webhook.doctor.finding import Check, Finding, info
from webhook.doctor.seen import Seen

OTHER = info(
    "other-engine",
    "Its denials come beside ours, and its changes are judged by us: exempt in both.",
)
ENGINES = {
    # What the names of their webhooks have in common, of the projects' own manifests.
    "Kyverno": ("kyverno.svc", "kyverno.io"),
    "Gatekeeper": ("gatekeeper.sh",),
    "Kubewarden": ("kubewarden",),
    "Polaris": ("polaris.fairwinds.com",),
    "Datree": ("datree",),
    "jsPolicy": ("jspolicy",),
    "k-rail": ("k-rail",),
}


def run(seen: Seen) -> Iterator[Finding]:
    for engine, marks in ENGINES.items():
        found = [
            one.title
            for one in seen.hooks or ()
            if not one.ours and any(mark in one.webhook.name for mark in marks)
        ]
        if found:
            text = f"judges as well, by {len(found)} of its webhooks"
            yield OTHER.found(engine, text, "netreeve doctor --all looks at these, too", found)


CHECK = Check(
    id="engines",
    title="no other policy engine is known to judge here",
    kinds=(OTHER,),
    run=run,
    needs=("hooks",),
)
