"""Is the time that webhooks may take bearable, for users and for leader elections?"""

from __future__ import annotations

from collections.abc import Iterator

from webhook.doctor.finding import Check, Finding, warning
from webhook.doctor.seen import Seen

LONG = warning(
    "timeout-long",
    "While nobody answers, every request waits this long; a write has 34 s for everything.",
)
SHORT = warning(
    "timeout-short", "A busy server, or a new connection, needs more: then the request fails."
)
LONGEST, SHORTEST = 10, 3


def run(seen: Seen) -> Iterator[Finding]:
    for hook in seen.judged:
        seconds, remedy = hook.webhook.seconds, f"kubectl edit {hook.resource}: timeoutSeconds"
        if seconds > LONGEST:
            yield LONG.found(hook.title, f"may take {seconds} s", f"{remedy} at most {LONGEST}")
        if hook.ours and hook.kind == "Validating" and seconds < SHORTEST:
            yield SHORT.found(hook.title, f"may take {seconds} s only", f"{remedy} {SHORTEST}")


CHECK = Check(
    id="timeouts",
    title="webhooks may take neither too long nor too short a time",
    kinds=(LONG, SHORT),
    run=run,
    needs=("hooks",),
    about="any webhook",
)
