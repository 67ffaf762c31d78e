"""One program of a small Go module in this repository, built once into the cache of the tests.

The compiler is the one that builds the control plane: the machine's own, or the pinned wheel.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.controlplane import toolchain
from tests.controlplane.build import BuildError, cache_folder, locked, to_stderr


def program(
    module: Path, *, name: str, folder: str, package: str = ".", flags: Sequence[str] = ()
) -> Path:
    """The executable ``name`` of the module, in a folder of the cache; built unless it is there.

    Raises ToolchainError without a compiler, BuildError with what it said.
    """
    # Only what Go reads: beside it Python has modules of its own, and their cache.
    files = (path for path in sorted(module.glob("*")) if path.is_file())
    sources = [path.read_bytes() for path in files if path.suffix != ".py"]
    recipe = [text.encode() for text in (package, *flags)]
    digest = hashlib.sha256(b"\0".join([*sources, *recipe])).hexdigest()[:12]
    system = f"{platform.system()}-{platform.machine()}".lower()
    target = cache_folder() / folder / f"{name}-{system}-{digest}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(cache_folder() / ".lock", to_stderr):
            if not target.exists():  # whoever held the lock may have built it
                _build(module, package, flags, target)
    return target


def _build(module: Path, package: str, flags: Sequence[str], target: Path) -> None:
    go = toolchain.find_go(module / "go.mod", cache_folder(), to_stderr)
    to_stderr(f"building {target.name} with {go}")
    scratch = target.with_suffix(".building")
    result = subprocess.run(
        (go, "build", *flags, "-o", scratch, package),
        cwd=module,
        env=toolchain.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        raise BuildError(
            f"{target.name}: go build ended with {result.returncode}:\n{result.stdout}"
        )
    scratch.rename(target)
