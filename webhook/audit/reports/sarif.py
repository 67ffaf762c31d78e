"""The report as SARIF 2.1.0, for GitHub code scanning and every other viewer of it.

Every policy is a rule in the words of `netreeve explain`; input that could not be read is a
notification of the run. GitHub's limits and wishes: docs.github.com, "SARIF support for code
scanning" (`primaryLocationLineHash`, a region in every location, `security-severity`).
"""

from __future__ import annotations

import os
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TextIO
from urllib.parse import quote

from policies import catalogue
from policies.model import Action, Policy
from webhook.admission.verdict import MALFORMED
from webhook.audit.findings import Found, Report, Result, Unreadable
from webhook.audit.manifests import STDIN
from webhook.audit.reports.json import indented
from webhook.audit.reports.words import printable

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
HOME = "https://netreeve.io"
_LEVELS = {Action.DENY: "error", Action.WARN: "warning", Action.AUDIT: "note"}
_SEVERITIES = {"error": "8.0", "warning": "5.0", "note": "2.0"}
"""GitHub shows 7.0 to 8.9 as high, 4.0 to 6.9 as medium, less as low."""


def write(report: Report, out: TextIO) -> None:
    """One run with every rule, every finding and every problem."""
    rules = [*map(_rule, catalogue()), _malformed()]
    index = {rule["id"]: at for at, rule in enumerate(rules)}
    run = {
        "tool": {"driver": {**_driver(), "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "results": _results(report, index),
    }
    content = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    out.write(indented(content))


def _driver() -> dict[str, str]:
    try:
        number = {"semanticVersion": version("netreeve")}
    except PackageNotFoundError:
        number = {}
    return {"name": "netreeve", "informationUri": HOME, **number}


def _rule(policy: Policy[Any, Any]) -> dict[str, Any]:
    level = _LEVELS.get(policy.standard, "note")
    return {
        "id": policy.id,
        "shortDescription": {"text": f"{policy.title}."},
        "fullDescription": {"text": policy.why},
        "help": {
            "text": f"{policy.why}\n\n{policy.fix}",
            "markdown": f"{policy.why}\n\n**Fix:** {policy.fix}",
        },
        "helpUri": f"{HOME}/policies#{policy.id}",
        "defaultConfiguration": {"level": level},
        "properties": {
            "tags": ["security", "kubernetes", "network"],
            "precision": "very-high",
            "security-severity": _SEVERITIES[level],
        },
    }


def _malformed() -> dict[str, Any]:
    return {
        "id": MALFORMED,
        "shortDescription": {"text": "The object could be read."},
        "helpUri": f"{HOME}/policies#{MALFORMED}",
        "defaultConfiguration": {"level": "error"},
    }


def _invocation(report: Report) -> dict[str, Any]:
    return {
        "executionSuccessful": not report.unreadable,
        "exitCode": report.exit_code,
        "toolExecutionNotifications": [_notification(one) for one in report.unreadable],
    }


def _notification(problem: Unreadable) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": printable(problem.message)},
        "locations": [{"physicalLocation": _physical(problem, problem.line, None)}],
    }


def _results(report: Report, index: dict[str, int]) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    results = []
    for result, found in report.each():
        seen[found.id] += 1
        results.append(_result(result, found, index, f"{found.id}:{seen[found.id]}"))
    return results


def _result(result: Result, found: Found, index: dict[str, int], hashed: str) -> dict[str, Any]:
    """hashed: the finding's own identity and which one of those that share it.

    GitHub would hash the text of the line, which changes with its neighbours.
    """
    text = f"{result.title}: {found.field}: {found.message}; {found.fix}"
    rule = {"ruleIndex": index[found.policy]} if found.policy in index else {}
    return {
        "ruleId": found.policy,
        **rule,
        "level": _LEVELS.get(found.action, "note"),
        "message": {"text": printable(text)},
        "locations": [_location(result, found)],
        "partialFingerprints": {"primaryLocationLineHash": hashed, "netreeve/v1": found.id},
        **({"baselineState": "unchanged"} if found.known else {}),
    }


def _location(result: Result, found: Found) -> dict[str, Any]:
    """A live object is in no file."""
    logical = [{"fullyQualifiedName": printable(result.title), "kind": "object"}]
    if not result.file:
        return {"logicalLocations": logical}
    place = _physical(result, found.line or result.line, found.column)
    return {"physicalLocation": place, "logicalLocations": logical}


def _physical(one: Result | Unreadable, line: int | None, column: int | None) -> dict[str, Any]:
    """GitHub wants a line: the first where none is known, or only one of what Helm has rendered."""
    region = {"startLine": 1}
    if line and not one.input:
        region = {"startLine": line} | ({"startColumn": column} if column else {})
    return {"artifactLocation": {"uri": _uri(one.file)}, "region": region}


def _uri(file: str) -> str:
    """Relative to the working directory, as GitHub wants it, or absolute where the path is."""
    if file == STDIN:
        return "stdin"
    path = quote(os.path.normpath(file).replace(os.sep, "/"), safe="/")
    return f"file://{path}" if path.startswith("/") else path
