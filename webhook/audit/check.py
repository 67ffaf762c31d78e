"""Manifests -> the gate -> a Report.

Knows neither where the manifests come from nor how the report is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policies.model import Action
from policies.resources import Resource
from webhook.admission.gate import Gate, Offline
from webhook.admission.plan import Ruleset
from webhook.admission.verdict import Finding, Verdict
from webhook.audit.findings import Found, Report, Result, Status, Unreadable
from webhook.audit.judge import Outcome, creation, judge, namespace_labels
from webhook.audit.kinds import find, kinds
from webhook.audit.manifests import Input, Manifest, Stranger, text_at


class Namespaces(Offline):
    """A cluster of which only the namespaces among the manifests are known."""

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self._labels = {
            text_at(one.object, "metadata", "name"): namespace_labels(one.object)
            for one in manifests
            if (one.api_version, one.kind) == ("v1", "Namespace")
        }

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        return self._labels.get(namespace)


def check(inputs: Iterable[Input], ruleset: Ruleset, default_namespace: str = "default") -> Report:
    """The verdict on every manifest; namespaces among them lend their labels to the others."""
    found = tuple(inputs)
    manifests = [one for one in found if isinstance(one, Manifest)]
    gate, known = Gate(ruleset, Namespaces(manifests)), kinds(ruleset.workloads)
    judged: list[Result | Unreadable] = []
    for one in manifests:
        resource = find(known, one.api_version, one.kind)
        try:
            judged.append(_result(one, resource, gate, ruleset, default_namespace))
        except Exception as error:
            message = f"could not be judged: {type(error).__name__}"
            judged.append(Unreadable(one.file, one.line, message))
    return Report(
        tuple(one for one in judged if isinstance(one, Result)),
        tuple(one for one in (*found, *judged) if isinstance(one, Unreadable)),
        sum(isinstance(one, Stranger) for one in found),
    )


def _result(
    manifest: Manifest, resource: Resource | None, gate: Gate, ruleset: Ruleset, default: str
) -> Result:
    name = (
        text_at(manifest.object, "metadata", "name")
        or f"{text_at(manifest.object, 'metadata', 'generateName')}*"
    )
    status: Status = "unknown"
    outcome = Outcome(Verdict())
    namespace = text_at(manifest.object, "metadata", "namespace")
    if resource is not None:
        request = creation(resource, manifest.object, default)
        namespace = request.namespace if resource.namespaced else ""
        if request.namespace in ruleset.excluded_namespaces:
            status = "excluded"
        else:
            outcome = judge(gate, request, manifest.object)
            status = _status(outcome.verdict)
    return Result(
        file=manifest.file,
        line=manifest.line,
        apiVersion=manifest.api_version,
        kind=manifest.kind,
        namespace=namespace,
        name=name,
        status=status,
        findings=tuple(_found(one, manifest) for one in outcome.verdict.findings),
        patch=outcome.patch,
    )


def _status(verdict: Verdict) -> Status:
    if not verdict.allowed:
        return "denied"
    return "warned" if verdict.under(Action.WARN) else "allowed"


def _found(finding: Finding, manifest: Manifest) -> Found:
    violation = finding.violation
    return Found(
        policy=finding.policy,
        action=finding.action,
        field=violation.field,
        message=violation.message,
        fix=violation.fix,
        line=manifest.line_of(violation.field),
    )
