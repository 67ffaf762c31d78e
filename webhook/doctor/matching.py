"""Would the API server call this webhook for this request? As it decides it itself. Pure.

Source: k8s.io/apiserver pkg/admission/plugin/webhook: generic/webhook.go (the order of the steps
and equivalent resources), predicates/ (rules and selectors), matchconditions/matcher.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from policies.labels import NAME_LABEL
from policies.selectors import LabelSelector
from webhook.doctor.conditions import Outcome, evaluate
from webhook.doctor.requests import Json, Request
from webhook.doctor.views import EVERYTHING, Rule, Webhook

EXEMPT = "admissionregistration.k8s.io"
"""No webhook of the API is ever called for the kinds of this group."""
REVIEWS = frozenset(
    {
        ("authentication.k8s.io", "tokenreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
        ("authorization.k8s.io", "localsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authorization.k8s.io", "subjectaccessreviews"),
    }
)
"""Not sent to webhooks since 1.37 (gate ExcludeAdmissionWebhookVirtualResources)."""
REVIEWS_EXCLUDED = (1, 37)
SAME_STORE = ({("", "events"), ("events.k8s.io", "events")},)
"""Resources of several groups that are one in storage, and so equivalent."""
State = Literal["called", "skipped", "refused", "unknown"]


class Match(NamedTuple):
    """refused: the API server refuses the request by itself. reason: for people."""

    state: State
    reason: str = ""


@dataclass(frozen=True)
class Served:
    """What the cluster is, as far as matching needs it.

    namespaces: labels by name. versions: those that serve a resource, by group and resource with
    its subresource. kubernetes: major and minor version.
    """

    namespaces: Mapping[str, Mapping[str, str]]
    versions: Mapping[tuple[str, str], tuple[str, ...]]
    kubernetes: tuple[int, int] = (1, 0)

    def labels(self, request: Request) -> Mapping[str, str]:
        """Of the namespace of a request; one that does not exist has its name only."""
        written = request.operation in ("CREATE", "UPDATE") and not request.subresource
        if request.resource == "namespaces" and written:
            return _labels(request.object)
        return self.namespaces.get(request.namespace, {NAME_LABEL: request.namespace})

    def equivalents(self, request: Request) -> Iterator[tuple[str, str]]:
        """Groups and versions with the same objects, without that of the request itself."""
        part = f"/{request.subresource}" if request.subresource else ""
        own = (request.group, request.resource)
        same = next((some for some in SAME_STORE if own in some), {own})
        for group, resource in sorted(same):
            for version in self.versions.get((group, resource + part), ()):
                if (group, version) != (request.group, request.version):
                    yield group, version


def match(webhook: Webhook, request: Request, served: Served) -> Match:
    """What the API server does with a webhook when this request comes."""
    if _never_sent(request, served):
        return Match("skipped", "webhooks are never called for it")
    if not _in_namespace(webhook.namespaceSelector, request, served):
        return Match("skipped", "namespaceSelector")
    if not _has_labels(webhook.objectSelector, request):
        return Match("skipped", "objectSelector")
    converted = _by_rules(webhook, request, served)
    if converted is None:
        return Match("skipped", "rules")
    return _by_conditions(webhook, converted.variables(request))


def _never_sent(request: Request, served: Served) -> bool:
    virtual = (request.group, request.resource) in REVIEWS
    return request.group == EXEMPT or (virtual and served.kubernetes >= REVIEWS_EXCLUDED)


def _in_namespace(selector: LabelSelector | None, request: Request, served: Served) -> bool:
    """Cluster-scoped objects other than namespaces are in none, so every selector lets them in."""
    if not request.namespace and request.resource != "namespaces":
        return True
    return (selector or EVERYTHING).matches(served.labels(request))


def _has_labels(selector: LabelSelector | None, request: Request) -> bool:
    if selector is None or selector in (EVERYTHING, LabelSelector(None, None)):
        return True
    objects = (one for one in (request.object, request.old) if one is not None)
    return any(selector.matches(_labels(one)) for one in objects)


def _labels(object: Json | None) -> Mapping[str, str]:
    found: Mapping[str, str] = ((object or {}).get("metadata") or {}).get("labels") or {}
    return found


def _by_rules(webhook: Webhook, request: Request, served: Served) -> Request | None:
    """The request as the webhook gets it; None where no rule matches."""
    rules = webhook.rules or ()
    if any(_matches(rule, request) for rule in rules):
        return request
    if webhook.matchPolicy == "Exact":
        return None
    others = [request.at(group, version) for group, version in served.equivalents(request)]
    return next((one for rule in rules for one in others if _matches(rule, one)), None)


def _matches(rule: Rule, request: Request) -> bool:
    return (
        _in_scope(rule.scope, request)
        and _has(rule.operations, request.operation)
        and _has(rule.apiGroups, request.group)
        and _has(rule.apiVersions, request.version)
        and any(_is_resource(one, request) for one in rule.resources or ())
    )


def _in_scope(scope: str | None, request: Request) -> bool:
    if scope in (None, "*"):
        return True
    own = (request.group, request.version, request.resource)
    in_a_namespace = bool(request.namespace) and own != ("", "v1", "namespaces")
    return in_a_namespace == (scope == "Namespaced")


def _has(wanted: tuple[str, ...] | None, value: str) -> bool:
    return any(one in ("*", value) for one in wanted or ())


def _is_resource(pattern: str, request: Request) -> bool:
    """``*`` has no subresource; ``pods/*`` has all of them, and pods as well."""
    resource, _, subresource = pattern.partition("/")
    return _has((resource,), request.resource) and (subresource in ("*", request.subresource))


def _by_conditions(webhook: Webhook, variables: Json) -> Match:
    """One that is false skips, whatever the others are; errors leave it to failurePolicy."""
    conditions = webhook.matchConditions or ()
    answers = [(one, evaluate(one.expression, variables)) for one in conditions]
    for one, answer in answers:
        if answer.outcome is Outcome.FALSE:
            return Match("skipped", f"matchCondition {one.name}")
    for one, answer in answers:
        if answer.outcome is Outcome.UNKNOWN:
            return Match("unknown", f"matchCondition {one.name}: {answer.text}")
    for one, answer in answers:
        if answer.outcome is Outcome.ERROR:
            text = f"matchCondition {one.name}: {answer.text}"
            return Match("refused" if webhook.fails_closed else "skipped", text)
    return Match("called")
