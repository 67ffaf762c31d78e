"""Who changes objects after us, and may undo what we have changed?"""

from __future__ import annotations

from collections.abc import Iterator

from policies import catalogue
from webhook.doctor import names
from webhook.doctor.finding import Check, Finding, info, warning
from webhook.doctor.matching import match
from webhook.doctor.requests import Request
from webhook.doctor.seen import Hook, Seen

LATER = info(
    "webhook-after-ours",
    "It may change what the gate has changed; the gate is asked again after it, once, and judges "
    "the final object in any case.",
)
ONCE = warning(
    "not-reinvoked",
    "What later webhooks change or add, such as a mesh's containers, is not changed by us again.",
)


def run(seen: Seen) -> Iterator[Finding]:
    ours = [one for one in seen.ours if one.kind == "Mutating"]
    # Configurations are called in the order of their names.
    later = [
        one
        for one in seen.hooks or ()
        if ours and one.kind == "Mutating" and one.configuration > ours[0].configuration
    ]
    for hook in later:
        if shared := list(dict.fromkeys(_shared(hook, seen))):
            text = f"is called after ours for {', '.join(shared)}"
            yield LATER.found(hook.title, text, "look at what it changes, if anything surprises")
    for hook in ours:
        if later and hook.webhook.reinvocationPolicy != "IfNeeded":
            remedy = f"{names.upgrade(seen.namespace)}: the chart sets reinvocationPolicy IfNeeded"
            yield ONCE.found(hook.title, "is not asked again after later webhooks", remedy)


def _shared(hook: Hook, seen: Seen) -> Iterator[str]:
    """The resources that both of us may change, as an ordinary user writes them."""
    for rule in (rule for policy in catalogue() if policy.mutate for rule in policy.rules):
        for operation in sorted(rule.operations):
            body = {"metadata": {"name": "web"}, "spec": {}}
            request = Request(
                operation, rule.group, "v1", rule.resource, "",
                namespace="netreeve-doctor",
                name="web",
                object=body,
                old=None if operation == "CREATE" else body,
            )  # fmt: skip
            if match(hook.webhook, request, seen.served).state in ("called", "unknown"):
                yield rule.resource


CHECK = Check(
    id="order",
    title="no later webhook changes what the gate has changed",
    kinds=(LATER, ONCE),
    run=run,
    needs=("hooks",),
    about="its webhooks",
)
