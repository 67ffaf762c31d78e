"""The report as JUnit XML, as Jenkins and GitLab read it: a suite per file, a test per object.

Live objects are in no file: theirs are suites of namespaces. All findings of an object that fail
the run are one failure, because most readers show only the first; what only warns is its output.
What the baseline knows is left out.
"""

from __future__ import annotations

from itertools import groupby
from typing import TextIO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from webhook.audit.findings import Found, Report, Result, Unreadable
from webhook.audit.reports.words import place, printable, sentence

_UNREADABLE = "unreadable"


def write(report: Report, out: TextIO) -> None:
    """Suites in the order of the input, those of input that could not be read first."""
    root = Element("testsuites", name="netreeve")
    for problem in report.unreadable:
        _problem(root, problem)
    for name, results in groupby(report.results, key=_suite):
        suite = SubElement(root, "testsuite", name=name)
        for result in results:
            if result.status not in ("excluded", "unknown"):
                _case(suite, result, report)
    for suite in root:
        for count, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            suite.set(count, str(sum(1 for _ in suite.iter(tag))))
    indent(root)
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    out.write(f"{tostring(root, encoding='unicode')}\n")


def _suite(result: Result) -> str:
    return printable(result.file or result.namespace or "cluster")


def _problem(root: Element, problem: Unreadable) -> None:
    suite = SubElement(root, "testsuite", name=printable(problem.file))
    case = SubElement(suite, "testcase", name=place(problem), classname=_UNREADABLE)
    error = SubElement(case, "error", type=_UNREADABLE, message=printable(problem.message))
    error.text = f"{place(problem)}: {printable(problem.message)}"


def _case(suite: Element, result: Result, report: Report) -> None:
    case = SubElement(suite, "testcase", name=printable(result.title), classname=_suite(result))
    new = [found for found in result.findings if not found.known]
    failing = [found for found in new if report.fails(found)]
    if failing:
        message = "; ".join(dict.fromkeys(printable(found.policy) for found in failing))
        failure = SubElement(case, "failure", type=failing[0].action.value, message=message)
        failure.text = _lines(result, failing)
    if rest := [found for found in new if not report.fails(found)]:
        SubElement(case, "system-out").text = _lines(result, rest)


def _lines(result: Result, findings: list[Found]) -> str:
    return "\n".join(
        f"{place(result, found.line) or printable(result.title)}: {found.action.value} "
        f"{printable(found.policy)}: {sentence(found)}"
        for found in findings
    )
