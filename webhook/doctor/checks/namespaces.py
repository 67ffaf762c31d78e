"""Which namespaces are not judged?"""

from __future__ import annotations

from collections.abc import Iterator

from policies.namespaces.system import SYSTEM_NAMESPACES
from webhook.config import GateConfig
from webhook.doctor.finding import Check, Finding, info, warning
from webhook.doctor.matching import match
from webhook.doctor.requests import Request
from webhook.doctor.seen import Seen

NOT_SENT = warning(
    "namespace-not-sent", "No request in there reaches the gate, and its users may not know."
)
EXCLUDED = info("namespace-excluded", "The configuration says so; its owners should know.")
SYSTEM = info("namespaces-of-the-system", "Never judged, so that a cluster can always start.")


def run(seen: Seen) -> Iterator[Finding]:
    validating = [one for one in seen.ours if one.kind == "Validating"]
    if not validating:
        return
    excluded = set((seen.config or GateConfig()).excludedNamespaces)
    known = sorted(seen.namespaces or ())
    never = [one for one in known if one in SYSTEM_NAMESPACES or one == seen.namespace]
    for name in known:
        if name in never:
            continue
        states = {match(one.webhook, _service(name), seen.served).state for one in validating}
        if states <= {"skipped"}:
            remedy = f"kubectl get {validating[0].resource} -o yaml: namespaceSelector"
            yield NOT_SENT.found(f"namespace {name}", "is not sent to the gate", remedy)
        elif name in excluded:
            remedy = "take it out of excludedNamespaces where that is not meant"
            yield EXCLUDED.found(f"namespace {name}", "is in excludedNamespaces", remedy)
    if never:
        text = f"never judged: {', '.join(never)}"
        yield SYSTEM.found("namespaces of the system", text, "keep workloads out of them")


def _service(namespace: str) -> Request:
    body = {"metadata": {"name": "web", "namespace": namespace}, "spec": {}}
    return Request("CREATE", "", "v1", "services", "Service", namespace=namespace, name="web",
                   object=body)  # fmt: skip


CHECK = Check(
    id="namespaces",
    title="every namespace but those of the system is judged",
    kinds=(NOT_SENT, EXCLUDED, SYSTEM),
    run=run,
    needs=("hooks", "namespaces"),
    about="its webhooks",
)
