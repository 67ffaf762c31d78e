"""Find the programs of the control plane, or build them once: `python -m tests.controlplane.build`.

Owns where they are looked for (`KUBEBUILDER_ASSETS`, then our cache) and how they are built from
the modules that go.mod pins. Does not know how they are run.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.controlplane import toolchain
from tests.controlplane.wait import wait_for

HERE = Path(__file__).parent
GO_MOD, GO_SUM = HERE / "go.mod", HERE / "go.sum"
PACKAGES: Mapping[str, str] = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
}
# A cold build takes minutes: whoever waits should see that it goes on.
REPORT_SECONDS = 15.0
OUTPUT_LINES = 30
SCRATCH = ".building-"

Report = Callable[[str], None]


class BuildError(Exception):
    """A program could not be built; the message carries what go said."""


def to_stderr(line: str) -> None:
    """The default report: one line at a time, at once."""
    print(line, file=sys.stderr, flush=True)


def ensure(report: Report = to_stderr) -> dict[str, Path]:
    """Every program by name, as an executable file; builds what is nowhere to be found."""
    found = _given(report)
    missing = [name for name in PACKAGES if name not in found]
    return found | _cached(missing, report)


def cache_folder() -> Path:
    """Where built programs are kept, outside of the repository: nothing else is in there."""
    if own := os.environ.get("NETREEVE_CACHE"):
        return Path(own).expanduser().absolute() / "controlplane"
    # A relative XDG path is to be ignored: XDG Base Directory Specification 0.8.
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = shared if shared.is_absolute() else Path.home() / ".cache"
    return base / "netreeve" / "controlplane"


def programs_folder() -> Path:
    """The folder for exactly these sources, on this platform, built in this way."""
    recipe = "\n".join([*PACKAGES.values(), *_link_flags(), toolchain.environment()["GOFLAGS"]])
    digest = hashlib.sha256(GO_MOD.read_bytes() + GO_SUM.read_bytes() + recipe.encode())
    system = f"{platform.system()}-{platform.machine()}".lower()
    return cache_folder() / f"{system}-{digest.hexdigest()[:12]}"


def _given(report: Report) -> dict[str, Path]:
    """What `KUBEBUILDER_ASSETS` has; envtest fills it with three of the five programs."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return {}
    folder = Path(assets).expanduser().absolute()
    found = {name: folder / name for name in PACKAGES if os.access(folder / name, os.X_OK)}
    if missing := [name for name in PACKAGES if name not in found]:
        report(
            f"KUBEBUILDER_ASSETS={assets} has no {', '.join(missing)}:"
            f" taking Kubernetes {kubernetes_version()} for that"
        )
    return found


def one_folder(programs: Mapping[str, Path]) -> Path:
    """The folder that holds all programs; of links, where they come from different ones."""
    parents = sorted({str(path.parent) for path in programs.values()})
    if len(parents) == 1:
        return Path(parents[0])
    digest = hashlib.sha256("\0".join(parents).encode()).hexdigest()[:12]
    folder = cache_folder() / f"links-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in programs.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(path)
    return folder


def _cached(names: list[str], report: Report) -> dict[str, Path]:
    folder = programs_folder()
    programs = {name: folder / name for name in names}
    if all(path.exists() for path in programs.values()):
        return programs
    folder.mkdir(parents=True, exist_ok=True)
    with locked(cache_folder() / ".lock", report):
        # Whoever held the lock may have built them.
        missing = [name for name in names if not programs[name].exists()]
        if missing:
            _build(missing, folder, report)
    return programs


def _build(names: list[str], folder: Path, report: Report) -> None:
    """Build into `folder`, whose lock the caller holds."""
    go = toolchain.find_go(GO_MOD, cache_folder(), report)
    report(f"building {', '.join(names)} into {folder} with {go}; cold, this takes minutes")
    begin = time.monotonic()
    for killed in folder.glob(f"{SCRATCH}*"):
        shutil.rmtree(killed)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch:
        for name in names:
            built = Path(scratch) / name
            _build_one(go, name, built, report)
            # Each is in its place whole or not at all, and an interrupted build loses only one.
            built.rename(folder / name)
    report(f"built {len(names)} programs in {time.monotonic() - begin:.0f} s")


def _build_one(go: Path, name: str, target: Path, report: Report) -> None:
    """Build one program, with a line now and then."""
    flags = ("-ldflags", " ".join(_link_flags()))
    command: list[str | Path] = [go, "build", *flags, "-o", target, PACKAGES[name]]
    begin = time.monotonic()
    report(f"{name}: building")
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(
            command, cwd=HERE, env=toolchain.environment(), stdout=output, stderr=output
        ) as process:
            while not _ended(process):
                report(f"{name}: still building, {time.monotonic() - begin:.0f} s")
        if process.returncode:
            output.seek(0)
            said = "\n".join(output.read().splitlines()[-OUTPUT_LINES:])
            raise BuildError(f"{name}: go build ended with {process.returncode}:\n{said}")
    report(f"{name}: built in {time.monotonic() - begin:.0f} s")


def _ended(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(REPORT_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    except BaseException:
        # Interrupted: do not leave a compiler behind that writes into a folder about to go.
        process.terminate()
        raise
    return True


def _link_flags() -> list[str]:
    """Strip, and stamp the version where Kubernetes' own hack/lib/version.sh does."""
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return [
        *("-s", "-w"),
        *(f"-X {package}.{key}={value}" for package in packages for key, value in stamps.items()),
    ]


def kubernetes_version() -> str:
    """Like `v1.36.3`, as go.mod pins it."""
    match = re.search(r"\bk8s\.io/kubernetes (v\d+\.\d+\.\d+)\b", GO_MOD.read_text())
    if match is None:
        raise BuildError(f"{GO_MOD} pins no k8s.io/kubernetes")
    return match[1]


@contextmanager
def locked(path: Path, report: Report) -> Iterator[None]:
    """Hold a lock, for all that is built into the cache; it ends with the process at the latest."""
    with path.open("w") as file:
        while True:
            try:
                wait_for(partial(_lock, file.fileno()), REPORT_SECONDS, str(path))
                break
            except TimeoutError:
                report(f"another process is building: waiting for {path}")
        yield


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main() -> None:
    """Build what is missing, and say where everything is."""
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane.build", description=__doc__)
    parser.add_argument(
        "--print", action="store_true", help="only the folder, for KUBEBUILDER_ASSETS"
    )
    arguments = parser.parse_args()
    programs = ensure()
    if arguments.print:
        print(one_folder(programs))
        return
    for name, path in programs.items():
        print(f"{name}\t{path}")


if __name__ == "__main__":
    main()
