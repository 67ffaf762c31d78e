"""Manifests -> the gate -> a Report.

Knows neither where the manifests come from nor how the report is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec import UNSET

from policies.model import Action, Remedy, Request, Violation
from policies.resources import Resource
from webhook.admission.gate import END_OF_TIME, Gate
from webhook.admission.messages import ending_of
from webhook.admission.ruleset import Ruleset
from webhook.admission.verdict import MALFORMED, Exempt, Finding, Verdict, in_order
from webhook.audit.findings import (
    Found,
    Report,
    Result,
    Status,
    Unreadable,
    identity,
    status_of,
)
from webhook.audit.judge import Outcome, creation, judge
from webhook.audit.kinds import find, kinds
from webhook.audit.manifests import Input, Manifest, Stranger, text_at
from webhook.audit.ndots import remedies
from webhook.audit.sources import Sources
from webhook.audit.surroundings import Surroundings
from webhook.audit.templates import pod_templates
from webhook.config.positions import Position
from webhook.exemptions.standing import Trust

NOT_JUDGED = Outcome(Verdict())


def check(
    inputs: Iterable[Input],
    ruleset: Ruleset,
    default_namespace: str = "default",
    *,
    now: float = END_OF_TIME,
    trust: Trust = Trust.SHOW,
    ndots: bool = False,
) -> Report:
    """The verdict on every manifest, in the light of the others.

    The inputs are gone through twice, and never all of them in memory. now: Unix time, for
    exemptions that end; trust: what those count that nobody has granted yet. ndots: whether to
    find what the gate would add to the resolver of pods.
    """
    if isinstance(inputs, Iterator):
        inputs = tuple(inputs)
    known = kinds(ruleset.workloads)
    around = Surroundings(_lending(inputs), known, Gate(ruleset), default_namespace)
    terms = _Terms(Gate(ruleset, around, trust=trust), ruleset, default_namespace, now, ndots)
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
                results.append(_result(one, resource, terms))
            except Exception as error:
                message = f"could not be judged: {type(error).__name__}"
                wrong = Unreadable(one.file, one.line, message, input=one.origin.input)
                unreadable.append(wrong)
    return Report(tuple(results), tuple(unreadable), strangers)


class _Terms(NamedTuple):
    """By what all the manifests of a check are judged."""

    gate: Gate
    ruleset: Ruleset
    default_namespace: str
    now: float
    ndots: bool


def _lending(inputs: Iterable[Input]) -> Iterator[Manifest]:
    """The manifests that say something of others."""
    if isinstance(inputs, Sources):
        return inputs.mentioning("Namespace", "NetworkPolicy")
    return (one for one in inputs if isinstance(one, Manifest))


def _result(manifest: Manifest, resource: Resource | None, terms: _Terms) -> Result:
    if resource is None:
        namespace = text_at(manifest.object, "metadata", "namespace")
        return _row(manifest, namespace, "unknown", templates=pod_templates(manifest.object))
    request = creation(resource, manifest.object, terms.default_namespace)
    namespace = request.namespace if resource.namespaced else ""
    if request.namespace in terms.ruleset.excluded_namespaces:
        return _row(manifest, namespace, "excluded")
    outcome = _judged(manifest, request, terms)
    additions: tuple[Remedy, ...] = ()
    if terms.ndots:
        additions = tuple(remedies(terms.gate, request, resource, manifest.object, terms.now))
    status = status_of(outcome.verdict.findings)
    return _row(manifest, namespace, status, outcome, additions=additions)


def _row(
    manifest: Manifest,
    namespace: str,
    status: Status,
    outcome: Outcome = NOT_JUDGED,
    *,
    additions: tuple[Remedy, ...] = (),
    templates: tuple[str, ...] = (),
) -> Result:
    name = (
        text_at(manifest.object, "metadata", "name")
        or f"{text_at(manifest.object, 'metadata', 'generateName')}*"
    )
    of = (manifest.api_version, manifest.kind, namespace, name)
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
            found(one, of, manifest.position_of(one.violation.field))
            for one in outcome.verdict.findings
        ),
        patch=outcome.patch,
        additions=additions or UNSET,
        podTemplates=templates or UNSET,
    )


def _judged(manifest: Manifest, request: Request, terms: _Terms) -> Outcome:
    """What the gate finds in the object, and what is wrong with the text that it was read from."""
    verdict, patch = judge(terms.gate, request, manifest.object, terms.now)
    repeated = (Finding(MALFORMED, Action.WARN, one) for one in _repeated(manifest))
    return Outcome(Verdict(in_order((*verdict.findings, *repeated)), (), verdict.errors), patch)


def _repeated(manifest: Manifest) -> Iterator[Violation]:
    """kubectl and Helm take the last one without a word; Kustomize refuses such a file.

    Objects that nothing separates repeat whatever they both have: that is one mistake.
    """
    problems = {one.path: one for one in manifest.repeated()}
    begins = [problems[key] for key in ("apiVersion", "kind") if key in problems]
    line = min((one.line or 0 for one in begins), default=0)
    # Of JSON nothing tells the line, and in a List it is a dash that is missing.
    joined = len(begins) == 2 and line > manifest.line and not manifest.path
    if joined:
        message = f"must not be repeated: it {begins[0].message}, and of several objects"
        fix = f"write --- above line {line}, or keep one of each field if it is one object"
        yield Violation("apiVersion", f"{message} only the last one counts", fix)
    for path, problem in problems.items():
        if joined and path in manifest.object:
            continue
        message = f"must not be repeated: it {problem.message}, and the last one counts"
        yield Violation(path, message, "keep one of them")


def found(
    finding: Finding, of: tuple[str, str, str, str], position: Position | None = None
) -> Found:
    """A finding as data. of: apiVersion, kind, namespace and name. position: None in no file."""
    violation, exempt = finding.violation, finding.exempt
    return Found(
        policy=finding.policy,
        action=finding.action,
        field=violation.field,
        message=violation.message,
        fix=f"{violation.fix}; {_said_of(exempt)}" if exempt else violation.fix,
        line=position.line if position else None,
        column=position.column if position else None,
        id=identity(of, finding.policy, violation.identity),
        preexisting=finding.preexisting,
        exempt=exempt or UNSET,
        remedy=violation.remedy,
    )


def _said_of(exempt: Exempt) -> str:
    if exempt.granted:
        return f"exempt {ending_of(exempt)}"
    return f"claims to be exempt {ending_of(exempt)}, which only a cluster can grant"
