"""``netreeve check``: options, outputs and exit codes, in this process."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.config.given import HEAD
from webhook.cli import main

GOOD = "apiVersion: v1\nkind: Pod\nmetadata: {name: good}\n"
WARNED = """\
apiVersion: v1
kind: Pod
metadata: {name: warned}
spec: {containers: [{name: a, livenessProbe: {httpGet: {host: example.com, port: 80}}}]}
"""
BAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec:\n  hostNetwork: true\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a few manifests and configurations."""
    for name, text in {
        "good.yaml": GOOD,
        "warned.yaml": WARNED,
        "bad.yaml": BAD,
        "broken.yaml": "a: [\n",
        "lenient.cfg": HEAD + "policies: {host-network: {action: Warn}}",
        "wrong.cfg": HEAD + "profil: strict\nmesh: {kind: osm}",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["good.yaml"], 0),
        (["warned.yaml"], 0),
        (["bad.yaml"], 1),
        (["good.yaml", "bad.yaml"], 1),
        (["broken.yaml"], 2),
        (["bad.yaml", "broken.yaml"], 2),
        (["absent.yaml"], 2),
        (["."], 2),
        (["--config", "lenient.cfg", "bad.yaml"], 0),
        (["--profile", "audit", "bad.yaml"], 0),
        (["--profile", "strict", "warned.yaml"], 1),
        (["-n", "kube-system", "bad.yaml"], 0),
        (["--config", "wrong.cfg", "good.yaml"], 2),
        (["--config", "absent.cfg", "good.yaml"], 2),
        (["--config", ".", "good.yaml"], 2),
    ],
)
@pytest.mark.usefixtures("folder")
def test_exit_codes(arguments: list[str], code: int) -> None:
    assert main(["check", *arguments]) == code


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["check"],
        ["check", "-o", "xml", "x"],
        ["check", "--profile", "lax", "x"],
        ["chek", "x"],
        ["explain", "-o", "json"],
    ],
)
def test_wrong_usage_is_explained_on_standard_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: netreeve")


@pytest.mark.usefixtures("folder")
def test_the_table_names_object_place_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "bad.yaml", "warned.yaml", "good.yaml"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Pod default/bad  bad.yaml:1"
    assert lines[1].startswith("  Deny  host-network  spec.hostNetwork: must not be true; ")
    assert lines[3] == "Pod default/warned  warned.yaml:1"
    assert lines[4].startswith("  Warn  probe-host  spec.containers[0].livenessProbe.httpGet.host")
    assert lines[-1].startswith("3 objects judged: 1 denied, 1 with warnings, 1 clean")


@pytest.mark.usefixtures("folder")
def test_the_rest_is_judged_when_something_cannot_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["check", "broken.yaml", "absent.yaml", "bad.yaml"])
    out = capsys.readouterr().out
    assert "cannot read broken.yaml:1: while parsing a flow node" in out
    assert "cannot read absent.yaml: No such file or directory" in out
    assert "Pod default/bad" in out


@pytest.mark.usefixtures("folder")
def test_json_goes_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "-o", "json", "-n", "shop", "bad.yaml"])
    (found,) = json.loads(capsys.readouterr().out)["objects"]
    assert (found["namespace"], found["status"]) == ("shop", "denied")
    assert found["findings"][0]["line"] == 5


@pytest.mark.usefixtures("folder")
def test_github_gets_annotations(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "-o", "github", "bad.yaml"])
    assert capsys.readouterr().out.startswith(
        "::error file=bad.yaml,line=5,col=3,title=netreeve host-network::Pod default/bad: "
    )


def test_standard_input_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    assert main(["check", "-"]) == 1
    assert capsys.readouterr().out.startswith("Pod default/bad  -:1\n")


@pytest.mark.usefixtures("folder")
def test_every_error_of_the_configuration_is_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["check", "--config", "wrong.cfg", "good.yaml"])
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(": ")[2].partition(": ")[0] for line in err.splitlines()] == [
        "line 3",
        "line 4",
    ]


@pytest.mark.usefixtures("folder")
def test_a_configuration_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--config", "absent.cfg", "good.yaml"])
    assert capsys.readouterr().err == "netreeve: absent.cfg: No such file or directory\n"


def test_the_help_shows_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--help"]) == 0
    text = capsys.readouterr().out
    assert "helm template shop ./chart | netreeve check -n shop -" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_a_number_without_end_is_unreadable_and_the_rest_is_judged(
    folder: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f'{{"apiVersion": "v1",\n"kind": "Pod",\n"spec": {{"priority": {"9" * 5000}}}}}\n'
    (folder / f"long.{ending}").write_text(text)
    assert main(["check", f"long.{ending}", "bad.yaml"]) == 2
    out = capsys.readouterr().out
    assert f"cannot read long.{ending}:3: spec.priority: is too large a number" in out
    assert "Pod default/bad" in out


def test_a_value_in_base64_hides_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = "{type: !!binary Tm9kZVBvcnQ=, ports: [{port: 80}]}"
    text = f"apiVersion: v1\nkind: !!binary U2VydmljZQ==\nspec: {spec}\n"
    (folder / "hidden.yaml").write_text(text)
    assert main(["check", "--profile", "strict", "hidden.yaml"]) == 1
    assert "node-port" in capsys.readouterr().out


def test_what_is_nested_too_deep_to_be_looked_through_is_unreadable(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    depth = 900 if sys.version_info < (3, 12) else 5_000  # what the parser of JSON still takes
    deep = '{"a": ' * depth + "1" + "}" * depth
    text = f'{{"kind": "Pod", "apiVersion": "v1", "\\ud83d\\ude00": {deep}}}'
    (folder / "deep.json").write_text(text)
    assert main(["check", "deep.json", "bad.yaml"]) == 2
    out = capsys.readouterr().out
    assert "cannot read deep.json:1: " in out
    assert "Pod default/bad" in out


@pytest.mark.parametrize("value", ["n", "yes", "on", "8080", "1.5"])
@pytest.mark.usefixtures("folder")
def test_an_unquoted_word_that_is_no_text_is_to_be_quoted(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = f"{{apiVersion: v1, kind: Service, metadata: {{name: a, labels: {{x: {value}}}}}}}"
    Path("unquoted.yaml").write_text(manifest)
    assert main(["check", "unquoted.yaml"]) == 1
    assert "quote it" in capsys.readouterr().out
