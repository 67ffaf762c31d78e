"""Does the API server refuse by itself what no webhook of ours is asked about?"""

from __future__ import annotations

from collections.abc import Iterator

from webhook.doctor import names
from webhook.doctor.finding import Check, Finding, warning
from webhook.doctor.seen import Seen

MISSING = warning(
    "guard-missing",
    "A way around the gate is open: no webhook is asked about what this policy refuses.",
)


def run(seen: Seen) -> Iterator[Finding]:
    remedy = (
        f"{names.upgrade(seen.namespace)}, or kubectl apply -f deploy/install.yaml "
        "-f deploy/stages/enforce/stage.yaml"
    )
    for name, what in names.GUARDS.items():
        actions = (seen.guards or {}).get(name, ())
        if "Deny" not in actions:
            bound = (
                f"bound with {', '.join(actions)}" if actions else "missing, or bound by nothing"
            )
            yield MISSING.found(
                f"ValidatingAdmissionPolicy {name}", f"is {bound}: it refuses {what}", remedy
            )


CHECK = Check(
    id="guards",
    title="the API server itself refuses what no webhook is asked about",
    kinds=(MISSING,),
    run=run,
    needs=("hooks", "guards"),
    about="an enforcing gate",
)
