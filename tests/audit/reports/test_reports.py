"""What the reports look like, on a terminal, in a pipe and to a machine; and hostile names."""

from __future__ import annotations

import io
import json
import re
from textwrap import dedent

import pytest

from tests.audit.reports.given import SAMPLE, everywhere, written
from webhook.audit.findings import Report, Result, Unreadable
from webhook.audit.reports.words import summary

HOSTILE = "x\r\n::error::hacked%0A\x1b[31m[bold]"


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


SUMMARY = (
    "3 objects judged: 1 denied, 0 with warnings, 1 with audited findings, 1 clean; "
    "1 to be changed by mutating policies; not judged: 1 in excluded namespaces, "
    "1 of kinds that no policy reads, 2 documents without a Kubernetes object; "
    "2 problems reading the input"
)


def test_the_table_in_a_pipe_is_plain_and_does_not_wrap() -> None:
    table = """\
        cannot read bad.yaml:4: a: is set twice
        cannot read absent: No file

        Service shop/web  web.yaml:3
          Deny  node-port   spec.type: must not be NodePort; use ClusterIP and an Ingress
          Warn  probe-host  spec.x: must not be set; remove it

        Pod shop/a-*  web.yaml:20
          Audit  ndots  spec.y: must be set; set it

        """
    judged = (
        "more: netreeve explain node-port\n"
        "judged: manifests deploy, standard input; profile standard; configuration gate.yaml; "
        "at 2026-11-21T12:00:00Z"
    )
    assert written(SAMPLE, "table") == f"{dedent(table)}{judged}\n{SUMMARY}\n"


def test_kinds_with_pods_that_nobody_has_judged_are_named() -> None:
    kinds = (("x.io/v1", "A"), ("v1", "B"), ("x.io/v2", "A"), ("y.io/v1", "A"), ("z.io/v1", "Z"))
    unread = tuple(
        Result("a.yaml", 1, api_version, kind, "", "a", "unknown", podTemplates=("spec.template",))
        for api_version, kind in kinds
    )
    assert (
        "5 of kinds that no policy reads (with pod templates: A.x.io, A.y.io, B and 1 more, "
        in (summary(Report(unread)))
    )


def test_the_table_on_a_terminal_has_colour_and_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    coloured = written(SAMPLE, "table", Terminal())
    assert "\x1b[1;31m  Deny" in coloured
    lines = re.sub(r"\x1b\[[0-9;]*m", "", coloured).splitlines()
    assert max(map(len, lines)) <= 60
    assert [line.rstrip() for line in lines[4:6]] == [
        "  Deny  node-port   spec.type: must not be NodePort; use",
        "                    ClusterIP and an Ingress",
    ]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[1;31m" not in written(SAMPLE, "table", Terminal())


def test_nothing_to_say_is_said_in_one_line() -> None:
    assert written(Report(), "table") == "0 objects judged: 0 denied, 0 with warnings, 0 clean\n"


def test_json_is_one_document_with_every_field() -> None:
    found = json.loads(written(SAMPLE, "json"))
    assert (found["apiVersion"], found["kind"]) == ("netreeve.io/v1alpha1", "FindingsReport")
    assert found["summary"] == {
        "denied": 1,
        "warned": 0,
        "preexisting": 0,
        "exempt": 0,
        "allowed": 2,
        "excluded": 1,
        "unknown": 1,
        "unreadable": 2,
        "audited": 1,
        "strangers": 2,
        "unseen": 0,
    }
    assert found["objects"][0] == {
        "file": "web.yaml",
        "line": 3,
        "apiVersion": "v1",
        "kind": "Service",
        "namespace": "shop",
        "name": "web",
        "status": "denied",
        "findings": [
            {
                "policy": "node-port",
                "action": "Deny",
                "field": "spec.type",
                "message": "must not be NodePort",
                "fix": "use ClusterIP and an Ingress",
                "line": 7,
                "column": 3,
                "id": "aaaaaaaaaaaaaaaa",
                "preexisting": False,
                "remedy": None,
            },
            {
                "policy": "probe-host",
                "action": "Warn",
                "field": "spec.x",
                "message": "must not be set",
                "fix": "remove it",
                "line": None,
                "column": None,
                "id": "bbbbbbbbbbbbbbbb",
                "preexisting": False,
                "remedy": None,
            },
        ],
        "patch": [],
        "input": "",
    }
    assert found["unreadable"][1] == {
        "file": "absent",
        "line": None,
        "message": "No file",
        "stranger": False,
        "input": "",
    }


def test_github_gets_one_annotation_for_each_finding() -> None:
    assert written(SAMPLE, "github").splitlines()[:5] == [
        "::error file=bad.yaml,line=4,title=netreeve unreadable::a: is set twice",
        "::error file=absent,title=netreeve unreadable::No file",
        "::error file=web.yaml,line=7,col=3,title=netreeve node-port::Service shop/web: spec.type: "
        "must not be NodePort; use ClusterIP and an Ingress",
        "::warning file=web.yaml,line=3,title=netreeve probe-host::Service shop/web: spec.x: "
        "must not be set; remove it",
        "::notice file=web.yaml,line=9,col=5,title=netreeve ndots::Pod shop/a-*: spec.y: "
        "must be set; set it",
    ]


def test_github_annotations_of_standard_input_name_no_file() -> None:
    report = Report(unreadable=(Unreadable("-", 4, "is empty"),))
    assert written(report, "github").startswith("::error line=4,title=netreeve unreadable::")


def test_names_cannot_become_commands_of_a_workflow() -> None:
    lines = written(everywhere(HOSTILE, f"a,b:{HOSTILE}"), "github").split("\n")
    words = {line.partition(" ")[0] for line in lines}
    assert words == {"::error", "::warning", "netreeve:", ""}
    assert "\r" not in "".join(lines)
    assert lines[0].startswith("::error file=a%2Cb%3Ax%0D%0A%3A%3Aerror%3A%3Ahacked%250A")


@pytest.mark.parametrize("out", [io.StringIO, Terminal])
def test_names_cannot_command_the_terminal(
    out: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    text = written(everywhere(HOSTILE, f"a,b:{HOSTILE}"), "table", out())
    assert "\x1b[31m[bold]" not in text
    assert "\r" not in text
    if out is io.StringIO:  # the log of a workflow is a pipe
        assert not any(line.startswith("::") for line in text.splitlines())


def test_json_escapes_what_it_must() -> None:
    found = json.loads(written(everywhere(HOSTILE), "json"))
    assert found["objects"][0]["kind"] == HOSTILE
