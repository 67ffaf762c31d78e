"""What this repository offers to CI systems does what its documentation says, without the services.

The steps of the action and the script for GitLab run as they are written, in an environment that
the action itself has installed; the hook is run by pre-commit.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
BAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec:\n  hostNetwork: true\n"
GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n"
OURS = ("NETREEVE", "GITHUB_", "PYTHON", "VIRTUAL_ENV")
FAST = {"PIP_NO_COMPILE": "1"}
"""Half of the time of an installation is for compiling what hardly any test runs."""
EXPRESSION = re.compile(r"\$\{\{ *([a-z_.-]+) *\}\}")


def evaluated(text: str, inputs: Mapping[str, str], temp: Path) -> str:
    """The expressions of GitHub that the action uses; any other is an error."""
    known = {f"inputs.{name}": value for name, value in inputs.items()}
    known |= {"github.action_path": str(ROOT), "runner.temp": str(temp)}
    return EXPRESSION.sub(lambda found: known[found[1]], text)


def run_step(name: str, temp: Path, work: Path, given: Mapping[str, str]) -> Any:
    """Runs a step of the action as a runner does."""
    (step,) = (step for step in ACTION["runs"]["steps"] if step["name"] == name)
    inputs = {key: one["default"] for key, one in ACTION["inputs"].items()} | dict(given)
    variables = {key: evaluated(text, inputs, temp) for key, text in step["env"].items()}
    assert step["shell"] == "bash"
    return bash(step["run"], work, {**variables, "GITHUB_STEP_SUMMARY": str(work / "summary.md")})


def bash(script: str, work: Path, variables: Mapping[str, str]) -> Any:
    """``bash`` with the options of GitHub's runner; how to reach packages is the machine's."""
    clean = {key: one for key, one in os.environ.items() if not key.startswith(OURS)}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=work,
        env={**clean, **FAST, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@pytest.fixture(scope="module")
def temp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of a runner, in which the action has installed the command."""
    folder = tmp_path_factory.mktemp("runner")
    python = folder / "python"  # as actions/setup-python leaves it: first in the path
    python.mkdir()
    (python / "python").symlink_to(sys.executable)
    script = step_script("Install Netreeve")
    done = bash(
        script,
        folder,
        {
            "ACTION_PATH": str(sources(folder / "action")),
            "WHERE": str(folder / "netreeve"),
            "PATH": f"{python}:{os.environ['PATH']}",
        },
    )
    assert done.returncode == 0, done.stderr
    return folder


def step_script(name: str) -> str:
    (script,) = (step["run"] for step in ACTION["runs"]["steps"] if step["name"] == name)
    return str(script)


def sources(folder: Path) -> Path:
    """The files of the repository without what was built in it: building must not change it."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in names:
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A checked out repository with one denied object."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "bad.yaml").write_text(BAD)
    (tmp_path / "good ones").mkdir()
    (tmp_path / "good ones" / "good.yaml").write_text(GOOD)
    return tmp_path


@pytest.mark.slow
def test_the_action_annotates_summarises_and_fails(temp: Path, work: Path) -> None:
    done = run_step("Check", temp, work, {})
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("::error file=deploy/bad.yaml,line=5,col=3,")
    assert "1 finding to correct" in (work / "summary.md").read_text()
    (run,) = json.loads((work / "netreeve.sarif").read_text())["runs"]
    assert [one["ruleId"] for one in run["results"]] == ["host-network"]
    assert run["tool"]["driver"]["semanticVersion"]


@pytest.mark.slow
def test_inputs_of_the_action_reach_the_command_whatever_they_are(temp: Path, work: Path) -> None:
    assert run_step("Check", temp, work, {"paths": "good ones\n\n"}).returncode == 0
    assert run_step("Check", temp, work, {"profile": "audit"}).returncode == 0
    assert run_step("Check", temp, work, {"namespace": "kube-system"}).returncode == 0
    (work / "the baseline.json").write_text("{}")
    wrong = run_step("Check", temp, work, {"baseline": "the baseline.json"})
    assert wrong.returncode == 2
    assert "the baseline.json: is no report" in wrong.stderr
    absent = run_step("Check", temp, work, {"paths": "$(touch hacked)\n--help\n`id`; exit 0"})
    assert absent.returncode == 2
    assert absent.stdout.count("No such file or directory") == 3
    assert not (work / "hacked").exists()


def test_no_input_is_part_of_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_other_actions_are_named_by_their_commits_and_versions() -> None:
    lines = [line for line in (ROOT / "action.yml").read_text().splitlines() if " uses: " in line]
    assert len(lines) == sum("uses" in step for step in ACTION["runs"]["steps"])
    pinned = re.compile(r" +uses: [a-z./-]+@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+")
    assert [line for line in lines if not pinned.fullmatch(line)] == []


def test_every_input_of_the_action_is_used_and_documented() -> None:
    used = set(re.findall(r"inputs\.([a-z-]+)", json.dumps(ACTION["runs"])))
    assert used == set(ACTION["inputs"])
    documented = (ROOT / "docs" / "ci.md").read_text()
    assert all(f"`{name}`" in documented for name in ACTION["inputs"])


def examples() -> dict[str, Any]:
    """The YAML blocks of the documentation by their first key."""
    text = (ROOT / "docs" / "ci.md").read_text()
    blocks = [yaml.safe_load(block.partition("```")[0]) for block in text.split("```yaml\n")[1:]]
    return {next(iter(block)): block for block in blocks if isinstance(block, dict)}


def test_the_example_for_github_gives_inputs_that_there_are() -> None:
    steps = examples()["name"]["jobs"]["netreeve"]["steps"]
    assert set(steps[1]["with"]) <= set(ACTION["inputs"])


@pytest.mark.slow
def test_the_example_for_gitlab_writes_what_it_says(temp: Path, work: Path) -> None:
    job = examples()["netreeve"]["netreeve"]
    variables = {
        "NETREEVE_PACKAGE": str(temp / "action"),
        "PATH": f"{temp / 'netreeve' / 'bin'}:{os.environ['PATH']}",
    }
    done = bash("\n".join(job["script"]), work, variables)
    assert done.returncode == 1, done.stderr
    assert "Pod default/bad  deploy/bad.yaml:1" in done.stdout
    (report,) = [work / job["artifacts"]["reports"]["junit"]]
    assert len(list(ElementTree.parse(report).iter("failure"))) == 1


def git(folder: Path, *arguments: str) -> None:
    name = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.slow
def test_the_hook_judges_what_is_committed_and_leaves_the_rest_alone(
    temp: Path, work: Path
) -> None:
    """`pre-commit try-repo` installs this repository as its users' pre-commit does."""
    hooks = temp / "action"
    if not (hooks / ".git").exists():
        git(hooks, "init", "-q")
        git(hooks, "add", "-A")
        git(hooks, "commit", "-qm", "all")
    (work / "values.yaml").write_text("replicaCount: 1\n")
    git(work, "init", "-q")
    git(work, "add", "-A")
    pre_commit = [sys.executable, "-m", "pre_commit"]
    config = examples()["repos"]["repos"][0]["hooks"][0]
    done = subprocess.run(
        [*pre_commit, "try-repo", str(hooks), config["id"], "--all-files", "--verbose"],
        cwd=work,
        env={**os.environ, **FAST, "PRE_COMMIT_HOME": str(temp / "hook"), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 1, done.stderr
    assert "Pod default/bad  deploy/bad.yaml:1" in done.stdout
    assert "1 document without a Kubernetes object" in done.stdout


def test_the_manifest_of_the_hook_is_valid() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", ".pre-commit-hooks.yaml"]
    subprocess.run(command, cwd=ROOT, check=True)
