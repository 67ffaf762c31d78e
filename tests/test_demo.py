"""The samples get the verdicts that their folders promise, and `make demo` shows them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from policies.model import Action
from tests.controlplane.cluster import ControlPlane
from webhook.audit.check import check
from webhook.audit.findings import Report
from webhook.audit.manifests import Manifest
from webhook.audit.sources import Sources
from webhook.config import load, ruleset

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "deploy" / "examples"
FOLDERS = ("good", "bad")
DEADLINE = 120


def samples(folder: str) -> list[Path]:
    return sorted((EXAMPLES / folder).iterdir())


def judged(file: Path) -> Report:
    """What the command line says of a file under the configuration of the demo."""
    rules = ruleset(load((EXAMPLES / "gateconfig.yaml").read_bytes()))
    return check(Sources([str(file)], None), rules)


@pytest.mark.parametrize("file", samples("good"), ids=lambda file: file.stem)
def test_a_good_sample_goes_through_without_a_warning(file: Path) -> None:
    report = judged(file)
    assert report.unreadable == ()
    assert {result.status for result in report.results} <= {"allowed", "unknown"}


def test_all_good_samples_together_go_through_without_a_warning() -> None:
    """A namespace of one file has the objects of another."""
    assert {one.status for one in judged(EXAMPLES / "good").results} <= {"allowed", "unknown"}


@pytest.mark.parametrize("file", samples("bad"), ids=lambda file: file.stem)
def test_every_object_of_a_bad_sample_is_denied_or_warned_of(file: Path) -> None:
    report = judged(file)
    assert report.unreadable == ()
    assert report.results
    assert {result.status for result in report.results} <= {"denied", "warned"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_tells_of_every_sample(folder: str) -> None:
    text = (EXAMPLES / "README.md").read_text()
    told = re.findall(rf"^\| \[([^]]+)\]\({folder}/\1\) \| .+ \|$", text, re.MULTILINE)
    assert told == [file.name for file in samples(folder)]


CUSTOM = "gateway.networking.k8s.io/"
"""Needs definitions that a bare API server does not have."""


@pytest.mark.cluster
@pytest.mark.parametrize("folder", FOLDERS)
def test_an_api_server_accepts_every_sample(
    control_plane: ControlPlane, namespace: str, folder: str
) -> None:
    """Without the gate: a sample that any cluster refuses would show nothing of the gate."""
    for one in Sources([str(EXAMPLES / folder)], None):
        assert isinstance(one, Manifest)
        if not one.api_version.startswith(CUSTOM):
            moved = {} if one.kind == "Namespace" else {"namespace": namespace}
            sample = {**one.object, "metadata": {**one.object["metadata"], **moved}}
            dry_run = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
            control_plane.kubectl(*dry_run, stdin=json.dumps(sample))


def demo(*arguments: str, columns: int = 80) -> subprocess.CompletedProcess[str]:
    """The demo as `make` runs it, its output in a pipe."""
    unset = {"FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
    env = {key: value for key, value in os.environ.items() if key not in unset}
    path = os.pathsep.join([str(ROOT), *filter(None, [env.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "deploy/demo.py", *arguments],
        cwd=ROOT,
        env={**env, "COLUMNS": str(columns), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@pytest.fixture(scope="module")
def wide() -> subprocess.CompletedProcess[str]:
    return demo(columns=400)


@pytest.mark.slow
def test_the_demo_succeeds(wide: subprocess.CompletedProcess[str]) -> None:
    assert (wide.returncode, wide.stderr) == (0, "")
    assert "Every verdict is what the folder of its sample says." in wide.stdout


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_the_demo_shows_every_object_with_its_verdict(
    folder: str, wide: subprocess.CompletedProcess[str]
) -> None:
    expected = {"good": "allowed|changed", "bad": "denied|warned"}[folder]
    half = wide.stdout.split("Bad:")[FOLDERS.index(folder)]
    for one in Sources([str(EXAMPLES / folder)], None):
        assert isinstance(one, Manifest)
        name = re.escape(one.object["metadata"]["name"])
        assert re.search(rf"^ ({expected}) +{one.kind} (\S+/)?{name} *$", half, re.MULTILINE), one


@pytest.mark.slow
def test_the_demo_gives_every_reason_and_the_patch(
    wide: subprocess.CompletedProcess[str],
) -> None:
    for result in judged(EXAMPLES / "bad").results:
        for found in result.findings:
            shown = f"- {found.policy}: {found.field}: {found.message}" in wide.stdout
            assert shown is (found.action is not Action.AUDIT), found
    assert '+ /metadata/labels/istio-injection: "enabled"' in wide.stdout
    assert '"ndots"' in wide.stdout


@pytest.mark.slow
def test_the_demo_fits_a_narrow_pipe_without_colours() -> None:
    output = demo().stdout
    assert "\x1b" not in output
    assert max(map(len, output.splitlines())) <= 80


def folder_of_samples(folder: Path, good: str) -> str:
    for name in FOLDERS:
        (folder / name).mkdir()
    (folder / "good" / "sample.yaml").write_text(good)
    (folder / "bad" / "hostport.yaml").write_bytes((EXAMPLES / "bad/hostport.yaml").read_bytes())
    (folder / "gateconfig.yaml").write_bytes((EXAMPLES / "gateconfig.yaml").read_bytes())
    return str(folder)


@pytest.mark.slow
def test_the_demo_fails_when_a_good_sample_is_denied(tmp_path: Path) -> None:
    denied = (EXAMPLES / "bad" / "nodeport-frontend.yaml").read_text()
    outcome = demo(folder_of_samples(tmp_path, denied), columns=200)
    assert outcome.returncode == 1
    assert "good/sample.yaml: Service my-frontend is denied, not allowed or changed" in (
        outcome.stdout
    )


def test_the_demo_says_why_it_cannot_read_a_sample(tmp_path: Path) -> None:
    outcome = demo(folder_of_samples(tmp_path, "kind: [\n"))
    assert outcome.returncode == 2
    assert "sample.yaml, line" in outcome.stderr


@pytest.mark.slow
def test_the_demo_says_why_the_server_does_not_start(tmp_path: Path) -> None:
    examples = folder_of_samples(tmp_path, (EXAMPLES / "good" / "cronjob.yaml").read_text())
    (tmp_path / "gateconfig.yaml").write_text(
        "apiVersion: netreeve.io/v1alpha1\nkind: GateConfig\nprofil: standard\n"
    )
    outcome = demo(examples, columns=200)
    assert outcome.returncode == 2
    assert "the server ended with status" in outcome.stderr
    assert "profil" in outcome.stderr
