"""Manifests -> the gate -> a Report.

Knows neither where the manifests come from nor how the report is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies.model import Action
from policies.resources import Resource
from webhook.admission.gate import Gate
from webhook.admission.plan import Ruleset
from webhook.admission.verdict import Finding, Verdict
from webhook.audit.findings import Found, Report, Result, Status, Unreadable, identity
from webhook.audit.judge import Outcome, creation, judge
from webhook.audit.kinds import find, kinds
from webhook.audit.manifests import Input, Manifest, Stranger, text_at
from webhook.audit.sources import Sources
from webhook.audit.surroundings import Surroundings
from webhook.config.positions import Position


def check(inputs: Iterable[Input], ruleset: Ruleset, default_namespace: str = "default") -> Report:
    """The verdict on every manifest, in the light of the others.

    The inputs are gone through twice, and never all of them in memory.
    """
    if isinstance(inputs, Iterator):
        inputs = tuple(inputs)
    known = kinds(ruleset.workloads)
    gate = Gate(ruleset, Surroundings(_lending(inputs), known, Gate(ruleset), default_namespace))
    results: list[Result] = []
    unreadable: list[Unreadable] = []
    strangers = 0
    for one in inputs:
        if isinstance(one, Stranger):
            strangers += 1
        elif isinstance(one, Unreadable):
            unreadable.append(one)
        else:
            resource = find(known, one.api_version, one.kind)
            try:
                results.append(_result(one, resource, gate, ruleset, default_namespace))
            except Exception as error:
                message = f"could not be judged: {type(error).__name__}"
                wrong = Unreadable(one.file, one.line, message, input=one.origin.input)
                unreadable.append(wrong)
    return Report(tuple(results), tuple(unreadable), strangers)


def _lending(inputs: Iterable[Input]) -> Iterator[Manifest]:
    """The manifests that say something of others."""
    if isinstance(inputs, Sources):
        return inputs.mentioning("Namespace", "NetworkPolicy")
    return (one for one in inputs if isinstance(one, Manifest))


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
        input=manifest.origin.input,
        line=manifest.line,
        apiVersion=manifest.api_version,
        kind=manifest.kind,
        namespace=namespace,
        name=name,
        status=status,
        findings=tuple(
            found(
                one,
                (manifest.api_version, manifest.kind, namespace, name),
                manifest.position_of(one.violation.field),
            )
            for one in outcome.verdict.findings
        ),
        patch=outcome.patch,
    )


def status_of(findings: Iterable[Finding]) -> Status:
    """The word for an object by the strongest of its findings."""
    actions = {one.action for one in findings}
    if Action.DENY in actions:
        return "denied"
    return "warned" if Action.WARN in actions else "allowed"


def found(
    finding: Finding, of: tuple[str, str, str, str], position: Position | None = None
) -> Found:
    """A finding as data. of: apiVersion, kind, namespace and name. position: None in no file."""
    violation = finding.violation
    return Found(
        policy=finding.policy,
        action=finding.action,
        field=violation.field,
        message=violation.message,
        fix=violation.fix,
        line=position.line if position else None,
        column=position.column if position else None,
        id=identity(of, finding.policy, violation.identity),
    )
