"""Does the API server keep the names of namespaces that are never judged?"""

from __future__ import annotations

from collections.abc import Iterator

from webhook.doctor import names
from webhook.doctor.finding import Check, Finding, warning
from webhook.doctor.seen import Seen

NOT_KEPT = warning(
    "names-not-kept",
    "Whoever may create namespaces creates one of a name that is never judged, and is free there.",
)


def run(seen: Seen) -> Iterator[Finding]:
    guards = seen.guards or ()
    if "Deny" in guards:
        return
    text = f"is bound with {', '.join(guards)}" if guards else "is missing, or bound by nothing"
    remedy = (
        f"{names.upgrade(seen.namespace)}, or kubectl apply -f deploy/install.yaml "
        "-f deploy/stages/enforce/stage.yaml"
    )
    yield NOT_KEPT.found(f"ValidatingAdmissionPolicy {names.EXCLUDED}", text, remedy)


CHECK = Check(
    id="excluded",
    title="nobody without a right creates a namespace that is never judged",
    kinds=(NOT_KEPT,),
    run=run,
    needs=("hooks", "guards"),
    about="an enforcing gate",
)
