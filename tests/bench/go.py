"""Builds the two small Go programs of the benchmark, and keeps them in the cache of the tests.

The compiler is the one that builds the control plane: the machine's own, or the pinned wheel.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
from pathlib import Path

from tests.controlplane import toolchain
from tests.controlplane.build import BuildError, cache_folder, locked, to_stderr

HERE = Path(__file__).parent


def program(name: str) -> Path:
    """The executable of the Go module in the folder ``name``; built unless it is there already.

    Raises ToolchainError without a compiler, BuildError with what it said.
    """
    module = HERE / name
    sources = b"\0".join(path.read_bytes() for path in sorted(module.glob("*")))
    digest = hashlib.sha256(sources).hexdigest()[:12]
    system = f"{platform.system()}-{platform.machine()}".lower()
    target = cache_folder() / "bench" / f"{name}-{system}-{digest}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(cache_folder() / ".lock", to_stderr):
            _build(module, target)
    return target


def _build(module: Path, target: Path) -> None:
    go = toolchain.find_go(module / "go.mod", cache_folder(), to_stderr)
    to_stderr(f"building {module.name} with {go}")
    scratch = target.with_suffix(".building")
    result = subprocess.run(
        (go, "build", "-o", scratch, "."),
        cwd=module,
        env=toolchain.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        raise BuildError(
            f"{module.name}: go build ended with {result.returncode}:\n{result.stdout}"
        )
    scratch.rename(target)


def version(executable: Path) -> str:
    """Like ``go1.26.8``: what built an executable, as it says itself."""
    go = toolchain.find_go(HERE / "go-webhook" / "go.mod", cache_folder(), to_stderr)
    said = subprocess.run((go, "version", executable), capture_output=True, text=True, check=True)
    return said.stdout.split()[-1]
