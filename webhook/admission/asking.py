"""One policy asked about the subjects of one object: what it finds, changes, or fails at.

Nothing is admitted by accident (rule 1 of CONTRIBUTING.md): an object that cannot be read and a
policy that raises are violations. Knows neither the other policies nor what the ratchet and
exemptions make of the findings.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from policies.model import NEVER_OLD, Action, Policy, Request, Violation
from policies.workloads import shows_static_pod
from webhook.admission.lanes import UNREADABLE, Body
from webhook.admission.ruleset import Setting
from webhook.admission.verdict import Finding

MOST_FINDINGS = 1000
"""Of one policy on one object: 3 MB of external IPs would keep everyone waiting for 4 seconds."""


def apply(
    policy: Policy[Any, Any],
    setting: Setting,
    subjects: tuple[Any, ...],
    request: Request,
    *,
    to: list[Finding],
    errors: list[Exception],
) -> None:
    """Add what the policy finds to ``to``, and what it raises to ``errors`` as well."""
    assert policy.validate is not None  # plan.lanes put it among the validating
    most = len(to) + MOST_FINDINGS
    try:
        for subject in subjects:
            for violation in policy.validate(subject, request, setting.params):
                if len(to) == most:
                    to.append(Finding(policy.id, setting.action, _TOO_MANY))
                    return
                action = _limited(setting.action, violation.at_most)
                if shows_static_pod(subject, request):
                    action = _limited(action, Action.AUDIT)
                to.append(Finding(policy.id, action, violation))
    except Exception as error:  # rule 1: a policy that raises has found a violation
        errors.append(error)
        to.append(Finding(policy.id, setting.action, failed(error)))


_TOO_MANY = Violation(
    "object",
    f"must not violate this policy more than {MOST_FINDINGS} times",
    "correct what is listed first",
    keys=NEVER_OLD,
)


def mutate(
    policy: Policy[Any, Any], setting: Setting, subjects: tuple[Any, ...], request: Request
) -> None:
    """Let the policy change its subjects; raises what it raises."""
    assert policy.mutate is not None  # plan.lanes put it among the mutating
    if setting.action.strength:
        for subject in subjects:
            policy.mutate(subject, request, setting.params)


def _limited(action: Action, limit: Action | None) -> Action:
    return limit if limit and limit.strength < action.strength else action


_UNQUOTED = re.compile(r"Expected `str( \| null)?`, got `(bool|int|float)`")
_QUOTE = "quote it: YAML reads words like yes, no, on and off, and numbers, as no text"


def malformed(error: Exception, body: Body | None) -> Violation:
    """What the decoder says of an object that it cannot read."""
    what, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    unquoted = _UNQUOTED.match(what)
    if unquoted and body is not None and path.endswith(_ANY_KEY):
        path = _with_key(path, body)
    return Violation(
        path or "object",
        f"must be readable: {what}" if what else "must not be nested this deep",
        _QUOTE if unquoted else "correct it",
        keys=NEVER_OLD,
    )


_ANY_KEY = "[...]"
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_LONGEST_KEY = 253 + 1 + 63
"""Of a label or an annotation: a DNS subdomain, a slash and a name."""


def _with_key(path: str, body: Body) -> str:
    """``metadata.labels[...]``, as the decoder says, with the first key whose value is no text."""
    way = path.removesuffix(_ANY_KEY)
    found: Body = body
    try:
        for name, index in _STEP.findall(way):
            found = _fields(found)[name] if name else _elements(found)[int(index)]
        key = next(key for key, value in _fields(found).items() if bytes(value)[:1] != b'"')
    except (*UNREADABLE, LookupError, StopIteration):
        return path
    return f"{way}[{key}]" if len(key) <= _LONGEST_KEY else path


def failed(error: Exception) -> Violation:
    """A policy that raises, as a violation of it."""
    return Violation(
        "object",
        f"could not be judged: the policy failed with {type(error).__name__}",
        "report this with the object; an administrator can switch the policy off meanwhile",
        keys=NEVER_OLD,
    )
