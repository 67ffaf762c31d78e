"""The Dockerfile without an engine: its lines are run, and what they lay out is entered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.controlplane.build import cache_folder
from tests.deploy.dockerfile import ROOT, Stage, read
from tests.helm.render import objects, only

BUILD, FINAL = read()
BAD = ROOT / "deploy" / "examples" / "bad" / "public-redis.yaml"
USER = 65532
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the engine is sent: the repository, as far as .dockerignore lets it through."""
    folder = tmp_path_factory.mktemp("context")
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    for kept in (line[1:] for line in lines if line.startswith("!")):
        target = folder / kept
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / kept).is_dir():
            shutil.copytree(ROOT / kept, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / kept, target)
    return folder


@pytest.fixture(scope="module")
def rootfs(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file system of the image, made by the lines of the build stage in a clean environment."""
    clean = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", clean], check=True)
    work = tmp_path_factory.mktemp("build")
    environment = {
        **BUILD.environment(),
        "PATH": f"{clean / 'bin'}:{os.environ['PATH']}",
        "HOME": str(clean),
        # The one thing that is not as in the image: packages need not be fetched every time.
        "PIP_NO_CACHE_DIR": "0",
        "PIP_CACHE_DIR": str(cache_folder() / "pip"),
    }
    for one in BUILD.instructions:
        if one.word == "COPY":
            _copy(one.rest, context, work)
        elif one.word == "RUN":
            done = subprocess.run(
                ["sh", "-ec", one.rest], cwd=work, env=environment, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{one.rest}\n{done.stdout}{done.stderr}"
    (copied,) = FINAL.all("COPY")
    assert copied == "--from=build /build/rootfs /"
    return work / "rootfs"


def _copy(rest: str, context: Path, work: Path) -> None:
    *sources, target = rest.split()
    for source in sources:
        if (context / source).is_dir():
            shutil.copytree(context / source, work / target)
        else:
            shutil.copy(context / source, work / target)


def enter(rootfs: Path, *command: str, user: str = "") -> list[str]:
    """The command line that runs a command in the image, as its user unless told otherwise."""
    if os.geteuid() == 0:
        user = user or FINAL.only("USER")
        return [_tool("chroot"), "--userspec", user, str(rootfs), *command]
    become = [_tool("unshare"), "--user", "--map-root-user"]
    return [*become, _tool("chroot"), str(rootfs), *command]


def _tool(name: str) -> str:
    """Where it is for everyone; the PATH of the image is another."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert found, name
    return found


def in_image(rootfs: Path, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        enter(rootfs, *command), input=stdin, env=FINAL.environment(), capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip


def netreeve(rootfs: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return in_image(rootfs, *FINAL.command("ENTRYPOINT"), *arguments, stdin=stdin)


def test_the_program_runs_in_it(rootfs: Path) -> None:
    done = netreeve(rootfs, "version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("netreeve 0."), "of an installed package, not of sources"


def test_it_runs_as_a_user_that_the_cluster_chooses(rootfs: Path) -> None:
    """As OpenShift does: one that is in no file of the image, in the group 0."""
    command = enter(rootfs, *FINAL.command("ENTRYPOINT"), "version", user="1000650000:0")
    done = subprocess.run(command, env=FINAL.environment(), capture_output=True, text=True,
                          check=False, timeout=60)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_it_judges_a_manifest(rootfs: Path) -> None:
    """The tables of the policies are in it, and everything that a check imports."""
    done = netreeve(rootfs, "check", "-", stdin=BAD.read_text())
    assert done.returncode == 1, done.stderr
    assert "load-balancer" in done.stdout


def test_it_serves(rootfs: Path) -> None:
    """What a server loads at its start is there: TLS, the event loop, telemetry."""
    anywhere = "127.0.0.1:0"
    arguments = ("--standalone", "--listen", anywhere, "--health-listen", anywhere, "--drain=0")
    command = enter(rootfs, *FINAL.command("ENTRYPOINT"), *FINAL.command("CMD"), *arguments)
    with subprocess.Popen(
        command, env=FINAL.environment(), stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("Reviews are answered at https://")
        server.terminate()
        server.stdout.read()
    assert server.returncode == 0


def test_it_talks_to_clusters(rootfs: Path) -> None:
    """The client of the API server, which only some commands load."""
    done = netreeve(rootfs, "baseline", "show", "default", "--kubeconfig", "/none")
    assert done.returncode == 2
    assert "/none" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_sends_spans(rootfs: Path) -> None:
    module = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    done = in_image(rootfs, "python3", "-c", f"import {module}")
    assert done.returncode == 0, done.stderr


def test_there_are_no_tools_in_it(rootfs: Path) -> None:
    interpreter = Path(sys.executable).resolve().name  # which may be in /usr/bin itself
    assert {one.name for one in (rootfs / "usr" / "bin").iterdir()} <= {"python3", interpreter}
    programs = {
        one.name.partition(".")[0].partition("-")[0]
        for one in rootfs.rglob("*")
        if one.is_file() and ".so" not in one.name and one.read_bytes()[:4] == b"\x7fELF"
    }
    assert programs == {"python3"}
    for module in ("pip", "setuptools", "ensurepip", "idlelib"):
        assert in_image(rootfs, "python3", "-c", f"import {module}").returncode == 1, module
    assert in_image(rootfs, "sh", "-c", "true").returncode == 127


def test_it_needs_no_right_to_write(rootfs: Path) -> None:
    writable = [
        path
        for path in rootfs.rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o022 and path.name != "tmp"
    ]
    assert writable == []
    missing = [
        path
        for path in (rootfs / "app" / "webhook").rglob("*.py")
        if not list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))
    ]
    assert missing == []


def test_it_is_small(rootfs: Path) -> None:
    """Of 296 MiB the client of the API server is 76, CEL 50 and the standard library 43."""
    size = sum(path.stat().st_size for path in rootfs.rglob("*") if not path.is_symlink())
    assert size < 320 << 20, f"{size >> 20} MiB"


class TestInstructions:
    def test_the_base_can_be_named_by_digest(self) -> None:
        assert BUILD.base == "${PYTHON}"
        assert FINAL.base == "scratch"
        assert "\nARG PYTHON=python:3." in (ROOT / "Dockerfile").read_text()

    def test_everything_installed_is_locked_by_hash(self) -> None:
        for line in BUILD.all("RUN"):
            if " pip install" in line:
                assert "--require-hashes" in line or "--no-deps" in line, line

    def test_the_build_backend_is_the_one_of_the_tests(self) -> None:
        locked = (ROOT / "deploy" / "build-requirements.txt").read_text()
        (pin,) = (line for line in locked.splitlines() if line.startswith("setuptools=="))
        assert pin in (ROOT / "tests" / "requirements.txt").read_text()

    def test_labels_say_what_it_is(self) -> None:
        labels = " ".join(FINAL.all("LABEL"))
        for name in ("title", "description", "licenses", "version", "revision"):
            assert f"org.opencontainers.image.{name}=" in labels

    @pytest.mark.cluster
    def test_the_chart_runs_it_as_its_user(self) -> None:
        assert FINAL.only("USER") == f"{USER}:{USER}"
        for name in ("netreeve-serve", "netreeve-control"):
            pod = only(objects(), "Deployment", name)["spec"]["template"]["spec"]
            assert pod["securityContext"]["runAsUser"] == USER
            assert "command" not in pod["containers"][0]


def test_stages_are_the_two_that_are_run() -> None:
    assert isinstance(BUILD, Stage)
    assert [one.name for one in (BUILD, FINAL)] == ["build", ""]
