"""Is everything that a policy judges sent to us, in every version that is served?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies import catalogue
from policies.labels import NAME_LABEL
from policies.model import Rule
from policies.network_policies.managed import BASELINE
from webhook.config import GateConfig
from webhook.config.registration import registered
from webhook.doctor import names
from webhook.doctor.finding import Check, Finding, error, some, warning
from webhook.doctor.matching import match
from webhook.doctor.requests import Request
from webhook.doctor.seen import Hook, KindOfHook, Seen

MISSING = error(
    "rule-missing",
    "What is not sent is not judged: subresources and other API versions are ways around a policy.",
)
EXACT = warning(
    "match-policy-exact",
    "With matchPolicy Exact a version that a later Kubernetes adds goes around the policies.",
)
BY_LABELS = error(
    "object-selector", "Whoever writes an object chooses its labels, and so whether it is judged."
)
SAMPLE = "netreeve-doctor"
"""For what is not there: a name that no namespace has."""
SERVICE = Rule("", "services")


def run(seen: Seen) -> Iterator[Finding]:
    rules = registered(catalogue())
    custom = [Rule(one.group, one.resource) for one in (seen.config or GateConfig()).workloads]
    asked: tuple[tuple[KindOfHook, Iterable[Rule]], ...] = (
        ("Validating", (*rules.validating, *custom)),
        ("Mutating", (*rules.mutating, *custom)),
    )
    for kind, wanted in asked:
        hooks = [one for one in seen.ours if one.kind == kind]
        place = _judged(hooks, seen)
        missing = [text for rule in wanted for text in _missing(rule, hooks, place, seen)]
        if hooks and missing:
            where = f"{kind}WebhookConfiguration {hooks[0].configuration}"
            remedy = f"with the chart of the servers' version: {names.upgrade(seen.namespace)}"
            yield MISSING.found(where, f"is not asked about {some(missing)}", remedy, missing)
    for hook in seen.ours:
        if hook.webhook.matchPolicy == "Exact":
            yield EXACT.found(hook.title, "has matchPolicy Exact", _edit(hook))
        selector = hook.webhook.objectSelector
        if selector and (selector.matchLabels or selector.matchExpressions):
            yield BY_LABELS.found(hook.title, "chooses objects by their labels", _edit(hook))


def _edit(hook: Hook) -> str:
    return f"helm upgrade with the chart's own configuration, or kubectl edit {hook.resource}"


def _judged(hooks: list[Hook], seen: Seen) -> str:
    """A namespace that is not left out: which are, another check says."""
    for place in (SAMPLE, *sorted(seen.namespaces or ())):
        request = _request(SERVICE, "v1", "CREATE", place)
        if any(match(one.webhook, request, seen.served).state != "skipped" for one in hooks):
            return place
    return SAMPLE


def _missing(rule: Rule, hooks: list[Hook], place: str, seen: Seen) -> Iterator[str]:
    """Requests of users that no webhook is called for. Versions that are not served have none."""
    for version in seen.served.versions.get((rule.group, rule.resource), ()):
        for operation in sorted(rule.operations):
            request = _request(rule, version, operation, place)
            states = {match(one.webhook, request, seen.served).state for one in hooks}
            if states <= {"skipped"}:
                group = f".{rule.group}" if rule.group else ""
                yield f"{operation} {rule.resource}{group} {version}"


def _request(rule: Rule, version: str, operation: str, place: str) -> Request:
    """As a user sends it, of an object that belongs to a baseline, as only those may not go."""
    resource, _, subresource = rule.resource.partition("/")
    name = place if (rule.group, resource) == ("", "namespaces") else SAMPLE
    labels = {NAME_LABEL: name, BASELINE: SAMPLE}
    body = {"metadata": {"name": name, "labels": labels}, "spec": {"changed": False}}
    after = {**body, "spec": {"changed": True}}
    return Request(
        operation, rule.group, version, resource, "",
        subresource=subresource,
        namespace=place,
        name=name,
        object=None if operation == "DELETE" else after,
        old=None if operation == "CREATE" else body,
    )  # fmt: skip


CHECK = Check(
    id="coverage",
    title="everything that a policy judges is sent to the servers, in every API version",
    kinds=(MISSING, EXACT, BY_LABELS),
    run=run,
    needs=("hooks",),
    about="its webhooks",
)
