"""Would a request that a cluster needs to come back reach a webhook that cannot be up yet?"""

from __future__ import annotations

from collections.abc import Iterator

from webhook.doctor.finding import Check, Finding, error, some, warning
from webhook.doctor.matching import State, match
from webhook.doctor.rescue import rescues
from webhook.doctor.seen import Hook, Seen

BLOCKED = error(
    "rescue-blocked",
    "The webhook fails closed and runs in the cluster that waits for it: after a power cut, or "
    "when all its pods are gone, neither can start.",
)
REFUSED = error(
    "rescue-refused",
    "A matchCondition fails for these requests, and a webhook that fails closed refuses them "
    "then, whether it is up or not.",
)
OUTSIDE = warning(
    "rescue-outside",
    "The webhook fails closed and is called by a URL: the cluster cannot start while that is not "
    "reachable.",
)
UNKNOWN = warning(
    "rescue-unknown",
    "Whether these requests reach the webhook depends on a matchCondition that only the API "
    "server can evaluate.",
)
_STATES: tuple[State, ...] = ("called", "refused", "unknown")


def run(seen: Seen) -> Iterator[Finding]:
    for hook in seen.judged:
        if hook.webhook.fails_closed:
            yield from _of(hook, seen)


def _of(hook: Hook, seen: Seen) -> Iterator[Finding]:
    own = {hook.service[0]: _account(hook, seen)} if hook.service else {}
    matches = [
        (rescue, match(hook.webhook, rescue.request, seen.served))
        for rescue in rescues(seen.facts, seen.namespaces or {}, own)
    ]
    for state in _STATES:
        found = [(rescue, one.reason) for rescue, one in matches if one.state == state]
        if found:
            titles = list(dict.fromkeys(rescue.title for rescue, _ in found))
            reasons = dict.fromkeys(reason for _, reason in found if reason)
            requests = dict.fromkeys(rescue.request.title for rescue, _ in found)
            yield _finding(hook, state, titles, (*reasons, *requests))


def _account(hook: Hook, seen: Seen) -> str:
    found = seen.deployment(hook.service[1]) if hook.ours and hook.service else None
    return found.account if found else ""


def _finding(hook: Hook, state: State, titles: list[str], details: tuple[str, ...]) -> Finding:
    first = some(titles)
    remedy = (
        "exclude these namespaces and requests by namespaceSelector (on the label "
        "kubernetes.io/metadata.name), rules or matchConditions: "
        f"kubectl edit {hook.resource}"
    )
    if hook.ours:
        remedy = "install the chart's own configuration again: helm upgrade, or kubectl apply"
    if state == "refused":
        return REFUSED.found(hook.title, f"refuses {first}", remedy, details)
    if state == "unknown":
        return UNKNOWN.found(hook.title, f"may be called for {first}", remedy, details)
    kind = BLOCKED if hook.service else OUTSIDE
    return kind.found(hook.title, f"fails closed and is called for {first}", remedy, details)


CHECK = Check(
    id="rescue",
    title="no request that brings a cluster back waits for a webhook that fails closed",
    kinds=(BLOCKED, REFUSED, OUTSIDE, UNKNOWN),
    run=run,
    needs=("hooks", "namespaces"),
    about="any webhook",
)
