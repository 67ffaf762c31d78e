"""May the two programs do what they have to, and no more?"""

from __future__ import annotations

from collections.abc import Iterator

from webhook.doctor import names
from webhook.doctor.finding import Check, Finding, error, some
from webhook.doctor.seen import Seen

MISSING = error(
    "right-missing", "Without it the program cannot do its work, and says so in its log."
)
UNREAD = error(
    "baseline-unread",
    "Servers that cannot see a controller label no namespace, and no pod waits for its baseline.",
)
EXCESS = error(
    "right-excess",
    "Servers read hostile input: one that is taken over must not be able to change anything. The "
    "controller must not be able to delete what protects.",
)


def run(seen: Seen) -> Iterator[Finding]:
    remedy = f"{names.upgrade(seen.namespace)}, or kubectl apply -f deploy/install.yaml"
    for name in (names.SERVE, names.CONTROL):
        deployment = seen.deployment(name)
        if deployment is None:
            continue
        account = deployment.account
        where = f"ServiceAccount {seen.namespace}/{account}"
        answers = [one for one in (seen.rights or {}).items() if one[0].account == account]
        lacking = [right for right, allowed in answers if right.wanted and not allowed]
        missing = [right.title for right in lacking]
        leases = [right.title for right in lacking if right.resource == "leases"]
        excess = [right.title for right, allowed in answers if allowed and not right.wanted]
        if missing:
            yield MISSING.found(where, f"may not {some(missing)}", remedy, missing)
        if leases and name == names.SERVE:
            text = f"may not {some(leases)}: new namespaces get no baseline"
            yield UNREAD.found(where, text, remedy, leases)
        if excess:
            look = f"kubectl get clusterrolebindings,rolebindings -A -o wide | grep {account}"
            yield EXCESS.found(where, f"may {some(excess)}", look, excess)


CHECK = Check(
    id="access",
    title="the service accounts may do what they have to, and no more",
    kinds=(MISSING, UNREAD, EXCESS),
    run=run,
    needs=("rights", "deployments"),
    about="Netreeve",
)
