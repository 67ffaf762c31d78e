"""``netreeve check --fix``: what it shows, what it asks, and what it writes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from webhook.cli import main

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, annotations: {service.beta.kubernetes.io/aws-load-balancer-type: nlb-ip}}
spec:
  type: LoadBalancer
  ports: [{port: 80}] # one
"""
FIXED = SERVICE.replace("  type:", "  allocateLoadBalancerNodePorts: false\n  type:")
HOST = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {hostNetwork: true}\n"
DIFF = """\
--- a/web.yaml
+++ b/web.yaml
@@ -2,5 +2,6 @@
 kind: Service
 metadata: {name: web, annotations: {service.beta.kubernetes.io/aws-load-balancer-type: nlb-ip}}
 spec:
+  allocateLoadBalancerNodePorts: false
   type: LoadBalancer
   ports: [{port: 80}] # one
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a Service that can be fixed and a Pod that cannot."""
    (tmp_path / "web.yaml").write_text(SERVICE)
    (tmp_path / "host.yaml").write_text(HOST)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Terminal(io.TextIOWrapper):
    """Standard input of somebody who answers."""

    def __init__(self, answer: str) -> None:
        super().__init__(io.BytesIO(answer.encode()))

    def isatty(self) -> bool:
        return True


def test_a_dry_run_shows_the_changes_and_makes_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--fix", "--dry-run", "web.yaml"]) == 0
    assert capsys.readouterr().out == DIFF
    assert (folder / "web.yaml").read_text() == SERVICE


def test_what_is_shown_is_a_patch_for_git(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "web.yaml").write_text(SERVICE.rstrip("\n"))
    main(["check", "--fix", "--dry-run", "web.yaml"])
    patch = capsys.readouterr().out
    subprocess.run(["git", "apply", "-"], input=patch, text=True, check=True, cwd=folder)
    assert (folder / "web.yaml").read_text() == FIXED.rstrip("\n")


def test_with_yes_the_files_are_written_and_the_rest_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "web.yaml").chmod(0o640)
    (folder / "link.yaml").symlink_to("web.yaml")
    assert main(["check", "--fix", "-y", "-o", "json=r.json", "link.yaml", "host.yaml"]) == 1
    assert (folder / "web.yaml").read_text() == FIXED
    assert (folder / "link.yaml").is_symlink()
    assert (folder / "web.yaml").stat().st_mode & 0o777 == 0o640
    assert (folder / "host.yaml").read_text() == HOST
    objects = json.loads((folder / "r.json").read_text())["objects"]
    assert [one["status"] for one in objects] == ["allowed", "denied"]
    assert {path.name for path in folder.iterdir()} == {
        "web.yaml", "link.yaml", "host.yaml", "r.json",
    }  # fmt: skip
    capsys.readouterr()
    assert main(["check", "--fix", "-y", "web.yaml"]) == 0
    assert capsys.readouterr() == ("", "netreeve: nothing to fix\n")


@pytest.mark.parametrize(("answer", "text"), [("y\n", FIXED), ("n\n", SERVICE), ("", SERVICE)])
def test_a_terminal_is_asked(
    folder: Path, answer: str, text: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert main(["check", "--fix", "web.yaml"]) == 0
    assert "Write this to 1 file? [y/N] " in capsys.readouterr().err
    assert (folder / "web.yaml").read_text() == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fix", "web.yaml"], "there is no terminal: give --yes, or --dry-run"),
        (["--fix", "-y", "-"], "--fix changes files, and - is none"),
        (["--fix", "-y", "-o", "json", "web.yaml"], "give the report a file, as in -o json=FILE"),
        (["--dry-run", "web.yaml"], "--dry-run, --ndots and --yes belong to --fix"),
        (["-y", "web.yaml"], "--dry-run, --ndots and --yes belong to --fix"),
    ],
)
def test_what_cannot_be_asked_for(
    folder: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["check", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert (folder / "web.yaml").read_text() == SERVICE


def test_what_has_a_remedy_and_is_not_fixed_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SERVICE.replace("spec:\n", "x: &s\n") + "spec: *s\n"
    (folder / "web.yaml").write_text(text)
    assert main(["check", "--fix", "-y", "web.yaml"]) == 0
    message = "netreeve: not fixed: web.yaml:7: node-port: spec.allocateLoadBalancerNodePorts"
    assert capsys.readouterr().err.startswith(f"{message} comes from an anchor\n")
    assert (folder / "web.yaml").read_text() == text


def test_the_report_says_what_a_fix_would_correct_where_it_can(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["check", "web.yaml"]) == 0
    assert "; --fix can correct 1 finding\n" in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", Terminal(SERVICE))
    assert main(["check", "-"]) == 0
    out = capsys.readouterr().out
    assert "node-port" in out
    assert "--fix" not in out


def test_ndots_are_written_where_somebody_asks_for_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers: []\n"
    (folder / "pod.yaml").write_text(pod)
    assert main(["check", "--fix", "-y", "pod.yaml"]) == 0
    assert "nothing to fix" in capsys.readouterr().err
    assert (folder / "pod.yaml").read_text() == pod
    assert main(["check", "--fix", "--ndots", "-y", "pod.yaml"]) == 0
    assert '+      - name: ndots\n+        value: "2"\n' in capsys.readouterr().out
    assert main(["check", "-o", "json=x.json", "pod.yaml"]) == 0
    (found,) = json.loads((folder / "x.json").read_text())["objects"]
    assert found["patch"] == []


def test_what_cannot_be_read_is_named_and_left_and_the_rest_of_the_file_is_fixed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = "---\na: [\n---\n"
    (folder / "web.yaml").write_text(SERVICE + broken + SERVICE.replace("web", "b"))
    arguments = ["check", "--fix", "-y", "web.yaml", "absent.yaml"]
    assert main(arguments) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[0].startswith("netreeve: cannot read web.yaml:8: ")
    assert err[1:] == [
        "netreeve: cannot read absent.yaml: No such file or directory",
        "netreeve: 1 file changed",
    ]
    assert (folder / "web.yaml").read_text() == FIXED + broken + FIXED.replace("web", "b")
    assert main(arguments) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[0].startswith("netreeve: cannot read web.yaml:9: ")
    assert err[-1] == "netreeve: nothing to fix in what could be read"


def test_a_folder_that_may_not_be_written_keeps_its_files(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device", "web.yaml")

    monkeypatch.setattr(os, "replace", refuse)
    assert main(["check", "--fix", "-y", "web.yaml"]) == 2
    assert "netreeve: web.yaml: No space left on device" in capsys.readouterr().err
    assert (folder / "web.yaml").read_text() == SERVICE
    assert not list(folder.glob(".web*"))
