"""Manifests -> the gate -> a Report.

Knows neither where the manifests come from nor how the report is printed.
"""

from __future__ import annotations

from collections.abc import Iterable

from policies.model import Action
from policies.resources import Resource
from webhook.admission.gate import Gate
from webhook.admission.plan import Ruleset
from webhook.admission.verdict import Finding, Verdict
from webhook.audit.findings import Found, Report, Result, Status, Unreadable
from webhook.audit.judge import Outcome, creation, judge
from webhook.audit.kinds import find, kinds
from webhook.audit.manifests import Input, Manifest, Stranger, text_at
from webhook.audit.surroundings import Surroundings


def check(inputs: Iterable[Input], ruleset: Ruleset, default_namespace: str = "default") -> Report:
    """The verdict on every manifest, in the light of the others."""
    found = tuple(inputs)
    manifests = [one for one in found if isinstance(one, Manifest)]
    known = kinds(ruleset.workloads)
    gate = Gate(ruleset, Surroundings(manifests, known, Gate(ruleset), default_namespace))
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
            status = status_of(outcome.verdict.findings)
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


def status_of(findings: Iterable[Finding]) -> Status:
    """The word for an object by the strongest of its findings."""
    actions = {one.action for one in findings}
    if Action.DENY in actions:
        return "denied"
    return "warned" if Action.WARN in actions else "allowed"


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
