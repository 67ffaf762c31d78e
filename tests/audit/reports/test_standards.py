"""What others have written down about a format holds: schemas of SARIF, JUnit and our own JSON."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema
from msgspec.structs import replace

from policies import catalogue
from policies.model import Action
from tests.audit.reports.given import EXEMPT, LIVE, SAMPLE, compared, everywhere, written
from webhook.admission.verdict import EXEMPTION, MALFORMED
from webhook.audit.findings import Found, Report, Result
from webhook.audit.jsonschema import schema, text
from webhook.audit.reports.json import FindingsReport, read

SCHEMAS = Path(__file__).parent / "schemas"
DOCS = Path(__file__).parents[3] / "docs"
REPORTS = (Report(), SAMPLE, compared(), everywhere("x"), everywhere("]]>\x1b<script>|\n&\ud83d"))


@cache
def sarif_schema() -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(
        json.loads((SCHEMAS / "sarif-schema-2.1.0.json").read_text()),
        format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER,
    )


def sarif(report: Report) -> dict[str, Any]:
    """The one run of a report as SARIF, which the schema accepts."""
    content = json.loads(written(report, "sarif"))
    sarif_schema().validate(content)
    run: dict[str, Any] = content["runs"][0]
    return run


@pytest.mark.parametrize("report", REPORTS[:-1])
def test_sarif_is_as_its_schema_says(report: Report) -> None:
    run = sarif(report)
    assert len(run["results"]) == len(list(report.each()))


def test_the_schema_of_sarif_refuses_what_is_none() -> None:
    content = json.loads(written(SAMPLE, "sarif"))
    content["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        sarif_schema().validate(content)


def test_every_policy_is_a_rule_of_sarif_and_every_result_has_its_own() -> None:
    run = sarif(SAMPLE)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [
        *(one.id for one in catalogue()),
        MALFORMED,
        EXEMPTION,
    ]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_the_help_of_a_rule_is_in_it_and_nothing_points_to_where_nothing_may_be() -> None:
    driver = sarif(SAMPLE)["tool"]["driver"]
    assert "informationUri" not in driver
    for rule in driver["rules"]:
        assert "helpUri" not in rule
        # What GitHub requires of a rule.
        assert all(rule[name]["text"] for name in ("shortDescription", "fullDescription", "help"))


def test_what_is_exempt_is_suppressed_and_a_claim_waits() -> None:
    found = [one["suppressions"] for one in sarif(Report(EXEMPT))["results"]]
    accepted = [
        {"kind": "external", "status": "accepted", "justification": "the old router (NET-1)"}
    ]
    claimed = [{"kind": "external", "status": "underReview", "justification": "for now"}]
    assert found == [accepted, claimed, accepted]
    assert all(one["suppressions"] == [] for one in sarif(SAMPLE)["results"])


def test_sarif_says_where_and_how_bad() -> None:
    first, second, third = sarif(SAMPLE)["results"]
    assert [one["level"] for one in (first, second, third)] == ["error", "warning", "note"]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "web.yaml"
    assert place["region"] == {"startLine": 7, "startColumn": 3}
    assert second["locations"][0]["physicalLocation"]["region"] == {"startLine": 3}


def test_problems_are_notifications_of_a_run_that_failed() -> None:
    (invocation,) = sarif(SAMPLE)["invocations"]
    assert not invocation["executionSuccessful"]
    texts = [one["message"]["text"] for one in invocation["toolExecutionNotifications"]]
    assert texts == ["a: is set twice", "No file"]


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("a b/ü#?.yaml", "a%20b/%C3%BC%23%3F.yaml"),
        ("./a/../b.yaml", "b.yaml"),
        ("/tmp/a.yaml", "file:///tmp/a.yaml"),
        ("-", "stdin"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
    ],
)
def test_a_file_becomes_a_uri(file: str, uri: str) -> None:
    (first, *_) = sarif(everywhere("x", file))["results"]
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_fingerprints_stay_when_lines_move_and_tell_equals_apart() -> None:
    def hashes(line: int) -> list[str]:
        found = Found("node-port", Action.DENY, "f", "m", "x", line, 1, "aaaaaaaaaaaaaaaa")
        results = [Result(f, line, "v1", "Service", "", "a", "denied", (found,)) for f in "ab"]
        return [
            one["partialFingerprints"]["primaryLocationLineHash"]
            for one in sarif(Report(tuple(results)))["results"]
        ]

    assert hashes(1) == hashes(100) == ["aaaaaaaaaaaaaaaa:1", "aaaaaaaaaaaaaaaa:2"]


@cache
def junit_schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd")


@pytest.mark.parametrize("report", REPORTS)
def test_junit_is_as_its_schema_says(report: Report) -> None:
    junit_schema().validate(written(report, "junit"))


def test_what_is_exempt_was_skipped_unless_something_else_fails() -> None:
    old, both = ElementTree.fromstring(written(Report(EXEMPT), "junit")).iter("testcase")
    assert [one.tag for one in old] == ["skipped", "system-out"]
    assert old[0].get("message") == "the old router (NET-1)"
    assert [one.tag for one in both] == ["failure", "system-out"]
    unjudged = replace(EXEMPT[0], file="values.yaml", status="unknown", findings=())
    (suite,) = ElementTree.fromstring(written(Report((*EXEMPT, unjudged)), "junit"))
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "1")


def test_objects_of_a_namespace_are_one_suite_in_whatever_order_they_come() -> None:
    results = tuple(replace(LIVE, namespace=name) for name in ("a", "b", "a", ""))
    suites = ElementTree.fromstring(written(Report(results), "junit"))
    found = [(one.get("name"), one.get("tests")) for one in suites]
    assert found == [("a", "2"), ("b", "1"), ("cluster", "1")]


def test_the_schema_of_junit_refuses_what_is_none() -> None:
    with pytest.raises(xmlschema.XMLSchemaException):
        junit_schema().validate(written(SAMPLE, "junit").replace("<failure", "<broken"))


def test_the_schema_in_the_documentation_is_current() -> None:
    published = (DOCS / "report.schema.json").read_text()
    assert published == text(), "python -m webhook.audit.jsonschema > docs/report.schema.json"


@pytest.mark.parametrize("report", REPORTS[:-1])
def test_json_is_as_its_schema_says_and_is_read_again(report: Report) -> None:
    data = written(report, "json")
    jsonschema.Draft202012Validator(schema()).validate(json.loads(data))
    again = read(data.encode())
    assert (again.results, again.unreadable) == (report.results, report.unreadable)


def test_the_schema_says_what_each_field_of_the_document_is() -> None:
    fields = schema()["properties"]
    assert set(fields) == set(FindingsReport.__struct_fields__)
    texts = {name: one.get("description") for name, one in fields.items()}
    assert [name for name, text in texts.items() if not text] == ["apiVersion", "kind"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "truncated"),
        ("[]", "Expected `object`"),
        ('{"apiVersion": "netreeve.io/v1alpha1", "kind": "BaselineReport"}', "Invalid enum value"),
        (written(SAMPLE, "json").replace('"id": "aaaaaaaaaaaaaaaa"', '"id": ""'), "without an id"),
        ('{"a":' + "[" * 100_000, "is nested too deep"),
    ],
)
def test_what_is_no_report_is_refused(data: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(data.encode())
