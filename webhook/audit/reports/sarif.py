"""The report as SARIF 2.1.0, for GitHub code scanning and every other viewer of it.

Every policy is a rule in the words of `netreeve explain`; input that could not be read is a
notification of the run. GitHub's limits and wishes: docs.github.com, "SARIF support for code
scanning" (`primaryLocationLineHash`, a region in every location, `security-severity`, help as text
in every rule). Nothing has a helpUri: the help is complete in the rule, and asks for no network.
"""

from __future__ import annotations

import os
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TextIO
from urllib.parse import quote

import msgspec

from policies import catalogue
from policies.model import Action, Policy
from webhook.admission.verdict import EXEMPTION, MALFORMED
from webhook.audit.findings import Found, Report, Result, Unreadable
from webhook.audit.judged import Judged
from webhook.audit.manifests import STDIN
from webhook.audit.reports.words import printable
from webhook.jsontext import indented

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {Action.DENY: "error", Action.WARN: "warning", Action.AUDIT: "note"}
_SEVERITIES = {"error": "8.0", "warning": "5.0", "note": "2.0"}
"""GitHub shows 7.0 to 8.9 as high, 4.0 to 6.9 as medium, less as low."""


def write(report: Report, out: TextIO) -> None:
    """One run with every rule, every finding and every problem."""
    rules = [*map(_rule, catalogue()), *_OTHERS]
    index = {rule["id"]: at for at, rule in enumerate(rules)}
    run = {
        "tool": {"driver": {**_driver(), "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "results": _results(report, index),
        "properties": {"judged": _judged(report.judged)},
    }
    content = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    out.write(indented(content))


def _driver() -> dict[str, str]:
    try:
        number = {"semanticVersion": version("netreeve")}
    except PackageNotFoundError:
        number = {}
    return {"name": "netreeve", **number}


def _judged(of: Judged) -> dict[str, Any]:
    """What is known of it; paths are texts of users."""
    found = msgspec.structs.asdict(of)
    found["paths"] = list(map(printable, of.paths))
    return {key: value for key, value in found.items() if value}


def _rule(policy: Policy[Any, Any]) -> dict[str, Any]:
    level = _LEVELS.get(policy.standard, "note")
    return _described(policy.id, policy.title, policy.why, policy.fix, level)


def _described(name: str, title: str, why: str, fix: str, level: str) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": f"{title}."},
        "fullDescription": {"text": why},
        "help": {"text": f"{why}\n\nFix: {fix}", "markdown": f"{why}\n\n**Fix:** {fix}"},
        "defaultConfiguration": {"level": level},
        "properties": {
            "tags": ["security", "kubernetes", "network"],
            "precision": "very-high",
            "security-severity": _SEVERITIES[level],
        },
    }


_OTHERS = (
    _described(
        MALFORMED,
        "The object could be read",
        "What cannot be decoded cannot be judged, so that it is denied and not let through. A "
        "field that is set twice is warned of: the last counts, and a reader may see the first.",
        "Correct the field to what the API of its kind says, and keep one of two.",
        "error",
    ),
    _described(
        EXEMPTION,
        "The exemption could be granted",
        "An exemption that is written so that nobody could grant it would exempt from nothing.",
        "Correct the annotations netreeve.io/exempt, exempt-reason and exempt-until.",
        "error",
    ),
)
"""What findings have in place of a policy."""


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
        "suppressions": _suppressions(found),
        **({"baselineState": "unchanged"} if found.preexisting else {}),
    }


def _suppressions(found: Found) -> list[dict[str, str]]:
    """SARIF 3.27.23: all results of a run have the list or none, and an empty one suppresses not.

    An exemption that is only claimed waits for whoever may grant it.
    """
    if not found.exempt:
        return []
    status = "accepted" if found.is_exempt else "underReview"
    reason = printable(found.exempt.reason)
    return [{"kind": "external", "status": status, "justification": reason}]


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
