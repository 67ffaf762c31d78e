"""Do failurePolicy and the configured stage fit together?"""

from __future__ import annotations

from collections.abc import Iterator

from webhook.doctor import names
from webhook.doctor.finding import Check, Finding, info, warning
from webhook.doctor.seen import Seen

OPEN = info("fails-open", "While no server answers, everything is admitted: right before enforce.")
ENFORCING_OPEN = warning(
    "enforcing-but-open", "Whoever can make the servers fail gets everything admitted."
)
CLOSED_EARLY = warning(
    "closed-but-not-enforcing", "Nothing is denied, and yet an outage stops every request."
)


def run(seen: Seen) -> Iterator[Finding]:
    stage = seen.config.stage if seen.config else "not known"
    remedy = (
        f"for another stage: {names.upgrade(seen.namespace, '--set stage=STAGE')}, "
        "or kubectl apply -f deploy/stages/STAGE/stage.yaml"
    )
    for hook in seen.ours:
        where = f"{hook.kind}WebhookConfiguration {hook.configuration}"
        if hook.webhook.fails_closed:
            if stage in ("audit", "warn"):
                text = f"fails closed in the stage {stage}"
                yield CLOSED_EARLY.found(where, text, remedy)
        elif hook.kind == "Validating":
            kind = ENFORCING_OPEN if stage == "enforce" else OPEN
            yield kind.found(where, f"fails open; the stage is {stage}", remedy)


CHECK = Check(
    id="stage",
    title="the failurePolicy is that of the stage",
    kinds=(OPEN, ENFORCING_OPEN, CLOSED_EARLY),
    run=run,
    needs=("hooks",),
    about="its webhooks",
)
