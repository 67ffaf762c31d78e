"""Do clocks agree well enough for certificates, Leases and exemptions that end?"""

from __future__ import annotations

from collections.abc import Iterator

from webhook.doctor.finding import Check, Finding, moment, warning
from webhook.doctor.seen import Seen

SKEW = warning(
    "clock-skew",
    "Certificates and exemptions begin and end at times that one of the clocks has wrong.",
)
MOST_SECONDS = 60.0


def run(seen: Seen) -> Iterator[Finding]:
    if abs(seen.ahead) > MOST_SECONDS:
        side = "ahead of" if seen.ahead > 0 else "behind"
        text = f"is {abs(seen.ahead):.0f} s {side} that of the API server ({moment(seen.now)})"
        remedy = "timedatectl status, here and on the nodes of the control plane"
        yield SKEW.found("clock of this machine", text, remedy)


CHECK = Check(
    id="clocks",
    title="the clock of this machine and that of the API server agree",
    kinds=(SKEW,),
    run=run,
)
