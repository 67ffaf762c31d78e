"""The report as JUnit XML, as Jenkins and GitLab read it: a suite per file, a test per object.

Live objects are in no file: theirs are suites of namespaces. All findings of an object that fail
the run are one failure, because most readers show only the first; what only warns is its output.
An object that is exempt, and has nothing else that fails, was skipped. What is pre-existing is left
out. Every suite says in its properties what was judged, because there is no other place for it.
"""

from __future__ import annotations

from typing import TextIO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from webhook.audit.findings import NOT_JUDGED, Found, Report, Result, Unreadable
from webhook.audit.judged import Judged
from webhook.audit.reports.words import facts, place, printable, sentence, severity

_UNREADABLE = "unreadable"
_COUNTS = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}


def write(report: Report, out: TextIO) -> None:
    """Suites in the order of the input, those of input that could not be read first."""
    root = Element("testsuites", name="netreeve")
    for problem in report.unreadable:
        _problem(_suite(root, problem.file, report.judged), problem)
    for name, results in _groups(report).items():
        suite = _suite(root, name, report.judged)
        for result in results:
            _case(suite, result, report)
    for suite in root:
        for count, tag in _COUNTS.items():
            suite.set(count, str(sum(1 for _ in suite.iter(tag))))
    indent(root)
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    out.write(f"{tostring(root, encoding='unicode')}\n")


def _groups(report: Report) -> dict[str, list[Result]]:
    """What was judged by file or namespace; objects of a cluster come by their kinds."""
    groups: dict[str, list[Result]] = {}
    for result in report.results:
        if result.status not in NOT_JUDGED:
            groups.setdefault(_group(result), []).append(result)
    return groups


def _group(result: Result) -> str:
    return printable(result.file or result.namespace or "cluster")


def _suite(root: Element, name: str, judged: Judged) -> Element:
    suite = SubElement(root, "testsuite", name=printable(name))
    if judged.time:
        suite.set("timestamp", judged.time)
    if found := dict(facts(judged)):
        properties = SubElement(suite, "properties")
        for key, value in found.items():
            SubElement(properties, "property", name=key, value=value)
    return suite


def _problem(suite: Element, problem: Unreadable) -> None:
    case = SubElement(suite, "testcase", name=place(problem), classname=_UNREADABLE)
    error = SubElement(case, "error", type=_UNREADABLE, message=printable(problem.message))
    error.text = f"{place(problem)}: {printable(problem.message)}"


def _case(suite: Element, result: Result, report: Report) -> None:
    case = SubElement(suite, "testcase", name=printable(result.title), classname=_group(result))
    new = [found for found in result.findings if not found.preexisting]
    failing = [found for found in new if report.fails(found)]
    if failing:
        message = "; ".join(dict.fromkeys(printable(found.policy) for found in failing))
        failure = SubElement(case, "failure", type=failing[0].action.value, message=message)
        failure.text = _lines(result, failing)
    elif reasons := [found.exempt.reason for found in new if found.is_exempt and found.exempt]:
        SubElement(
            case, "skipped", type="Exempt", message=printable("; ".join(dict.fromkeys(reasons)))
        )
    if rest := [found for found in new if not report.fails(found)]:
        SubElement(case, "system-out").text = _lines(result, rest)


def _lines(result: Result, findings: list[Found]) -> str:
    return "\n".join(
        f"{place(result, found.line) or printable(result.title)}: {severity(found)} "
        f"{printable(found.policy)}: {sentence(found)}"
        for found in findings
    )
