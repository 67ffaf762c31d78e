"""Does a controller lead, and is it alive?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from webhook.doctor import names
from webhook.doctor.finding import Check, Finding, error, moment, warning
from webhook.doctor.seen import Seen

NONE = error(
    "no-leader",
    "Without a controller no namespace gets its baseline, its pods wait, and nobody renews "
    "certificates.",
)
TAKEOVER = timedelta(minutes=1)
RELEASED = warning("leader-released", "Another one takes over at once, if there is one.")


def run(seen: Seen) -> Iterator[Finding]:
    if seen.elsewhere:
        return  # told elsewhere
    where = f"Lease {seen.namespace}/{names.LEASE}"
    remedy = f"kubectl logs -n {seen.namespace} deployment/{names.CONTROL}"
    if not seen.leases:
        yield NONE.found(where, "does not exist: no controller has ever led", remedy)
        return
    spec = seen.leases[0].spec
    renewed = _time(spec.renewTime or "")
    if not spec.holderIdentity and seen.now < renewed + TAKEOVER:
        yield RELEASED.found(where, "is held by nobody", remedy)
    elif not spec.holderIdentity:
        yield NONE.found(where, f"has been held by nobody since {moment(renewed)}", remedy)
    elif renewed + timedelta(seconds=spec.leaseDurationSeconds or 0) < seen.now:
        text = f"{spec.holderIdentity} has not renewed it since {spec.renewTime}"
        yield NONE.found(where, text, remedy)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


CHECK = Check(
    id="leader",
    title="a controller leads and renews its Lease",
    kinds=(NONE, RELEASED),
    run=run,
    needs=("leases",),
    about="Netreeve",
)
