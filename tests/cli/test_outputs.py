"""Several outputs at once, what fails a run, and reports of before, through the command line."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from webhook.audit.reports import FORMATS
from webhook.cli import main

BAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  hostNetwork: true\n"
EXEMPT = """\
apiVersion: v1
kind: Pod
metadata:
  name: exempt
  annotations:
    netreeve.io/exempt: host-network
    netreeve.io/exempt-reason: routes for the whole node
    netreeve.io/exempt-until: "%s"
spec: {hostNetwork: true}
"""
WARNED = """\
apiVersion: v1
kind: Pod
metadata: {name: warned}
spec: {containers: [{name: a, livenessProbe: {httpGet: {host: example.com, port: 80}}}]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory: two manifests are denied, one is warned of, one claims an exemption."""
    (tmp_path / "bad.yaml").write_text(BAD % "bad")
    (tmp_path / "worse.yaml").write_text(BAD % "worse")
    (tmp_path / "warned.yaml").write_text(WARNED)
    (tmp_path / "exempt.yaml").write_text(EXEMPT % (datetime.now(UTC) + timedelta(30)).date())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_format_at_once_and_the_table_on_top(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = [f"-o{name}={name}.out" for name in FORMATS]
    assert main(["check", "-o", "table", *outputs, "bad.yaml"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (folder / "table.out").read_text()
    for name in FORMATS:
        assert "host-network" in (folder / f"{name}.out").read_text()


@pytest.mark.usefixtures("folder")
def test_with_files_only_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-o", "json=a=b.json", "bad.yaml"]) == 1
    assert capsys.readouterr().out == ""
    assert json.loads(Path("a=b.json").read_text())["kind"] == "FindingsReport"


def test_a_report_says_what_was_judged_when_and_by_which_rules(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "apiVersion: netreeve.io/v1alpha1\nkind: GateConfig\n"
    (folder / "gate.yaml").write_text(f"{head}profile: strict\nstage: warn\n")
    options = ["--config", "gate.yaml", "-o", "json=x.json", "-o", "table"]
    before = time.time()
    assert main(["check", *options, "bad.yaml", "."]) == 0
    judged = json.loads(Path("x.json").read_text())["judged"]
    made = judged.pop("time")
    assert before - 1 < datetime.fromisoformat(made).timestamp() <= time.time()
    assert {key: value for key, value in judged.items() if value} == {
        "source": "manifests",
        "paths": ["bad.yaml", "."],
        "profile": "strict",
        "stage": "warn",
        "config": "gate.yaml",
    }
    rules = "profile strict; stage warn; configuration gate.yaml"
    assert f"judged: manifests bad.yaml, .; {rules}; at {made}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (["-o", "xml"], "'xml' is none of github, html, json"),
        (["-o", "sarif="], "'sarif=' names no file"),
        (["-o", "table", "-o", "json"], "only one output can go to standard output; use -o json="),
    ],
)
@pytest.mark.usefixtures("folder")
def test_outputs_that_cannot_be(
    outputs: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *outputs, "bad.yaml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


@pytest.mark.usefixtures("folder")
def test_a_file_that_cannot_be_written_spoils_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-o", "sarif=absent/x", "-o", "json=x.json", "-o", "table", "warned.yaml"]
    assert main(["check", *arguments]) == 2
    out, err = capsys.readouterr()
    assert err == "netreeve: absent/x: No such file or directory\n"
    assert "Pod default/warned" in out
    assert Path("x.json").exists()


def test_a_name_in_any_bytes_can_be_written(folder: Path) -> None:
    name = os.fsdecode(b"\xff.yaml")
    (folder / name).write_text(BAD % "x")
    for output in FORMATS:
        assert main(["check", "-o", f"{output}=out", name]) == 1
        assert b"ff.yaml" in Path("out").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["warned.yaml"], 0),
        (["--fail-on", "deny", "warned.yaml"], 0),
        (["--fail-on", "warn", "warned.yaml"], 1),
        (["--fail-on", "warn", "bad.yaml"], 1),
        (["--fail-on", "warn", "--profile", "audit", "bad.yaml"], 0),
        (["exempt.yaml"], 1),
        (["--trust-exemptions", "--fail-on", "warn", "exempt.yaml"], 0),
        (["--baseline", "before.json", "bad.yaml"], 0),
        (["--baseline", "before.json", "bad.yaml", "warned.yaml"], 0),
        (["--baseline", "before.json", "--fail-on", "warn", "bad.yaml", "warned.yaml"], 1),
        (["--baseline", "before.json", "bad.yaml", "worse.yaml"], 1),
        (["--diff", "before.json", "bad.yaml"], 1),
        (["--baseline", "absent.json", "bad.yaml"], 2),
        (["--baseline", "bad.yaml", "bad.yaml"], 2),
        (["--diff", ".", "bad.yaml"], 2),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_fails_a_run(arguments: list[str], code: int) -> None:
    assert main(["check", "-o", "json=before.json", "bad.yaml"]) == 1
    assert main(["check", *arguments]) == code


@pytest.mark.usefixtures("folder")
def test_a_report_that_is_none_says_what_would_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--baseline", "bad.yaml", "bad.yaml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("netreeve: bad.yaml: is no report that -o json wrote: ")


def test_the_table_shows_what_is_new_fixed_and_counts_the_rest(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["check", "-o", "json=before.json", "bad.yaml", "warned.yaml", "exempt.yaml"])
    earlier = ["--baseline", "before.json", "--diff", "before.json"]
    (folder / "warned.yaml").write_text(WARNED.replace("host: example.com, ", ""))
    assert main(["check", *earlier, "bad.yaml", "worse.yaml", "warned.yaml"]) == 1
    out = capsys.readouterr().out
    assert "Pod default/bad" not in out
    assert "3 objects judged: 1 denied, 0 with warnings, 1 pre-existing, 1 clean" in out
    assert "Pod default/worse  worse.yaml:1" in out
    assert "new       Pod default/worse   host-network" in out
    assert "fixed     Pod default/warned  probe-host" in out
    assert "not seen  Pod default/exempt  host-network" in out
    assert "since the earlier report: 1 new, 1 fixed, 1 still there, 1 not seen this time\n" in out
    assert "; 1 pre-existing finding" in out


@pytest.mark.usefixtures("folder")
def test_a_baseline_may_be_the_file_that_is_written() -> None:
    both = ["-o", "json=x.json", "bad.yaml"]
    assert main(["check", *both]) == 1
    assert main(["check", "--baseline", "x.json", *both]) == 0
    assert main(["check", "--baseline", "x.json", *both]) == 0


def test_help_fits(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["check", "--help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
