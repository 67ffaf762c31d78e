"""The built wheel in a clean environment, away from the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.deploy.dockerfile import ROOT

pytestmark = pytest.mark.slow
BAD = ROOT / "deploy" / "examples" / "bad" / "public-redis.yaml"


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=cwd, env=clean | variables, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what is tracked, so that nothing is left in the checkout."""
    sources = tmp_path_factory.mktemp("sources")
    for name in ("webhook", "policies", "certs"):
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    done = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", cwd=sources)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = (sources / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the locked packages and the wheel."""
    folder = tmp_path_factory.mktemp("clean")
    run(sys.executable, "-m", "venv", folder / "env", cwd=folder).check_returncode()
    python = folder / "env" / "bin" / "python"
    locked = ("--require-hashes", "-r", str(ROOT / "deploy" / "requirements.txt"))
    for command in (
        (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *locked),
        (python, "-m", "pip", "install", "--quiet", "--no-index", wheel),
    ):
        done = run(*command, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    return python.parent


def test_it_holds_every_source_and_table_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        str(path.relative_to(ROOT))
        for room in ("webhook", "policies", "certs")
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == wanted


@pytest.mark.parametrize("name", ["netreeve", "kubectl-netreeve"])
def test_the_commands_run(installed: Path, tmp_path: Path, name: str) -> None:
    done = run(installed / name, "version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("netreeve 0.")


def test_it_judges_a_manifest(installed: Path, tmp_path: Path) -> None:
    done = run(
        installed / "netreeve", "check", "-o", "table", "-o", "html=r.html", BAD, cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr
    assert "</html>" in (tmp_path / "r.html").read_text()
    assert "load-balancer" in done.stdout


def test_it_serves(installed: Path, tmp_path: Path) -> None:
    anywhere = "127.0.0.1:0"
    arguments = ("--standalone", "--listen", anywhere, "--health-listen", anywhere, "--drain", "0")
    with subprocess.Popen(
        [installed / "netreeve", "serve", *arguments],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("Reviews are answered at https://")
        server.terminate()
        server.stdout.read()
    assert server.returncode == 0
