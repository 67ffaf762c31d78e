"""The two small Go programs of the benchmark."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.controlplane import gomodule, toolchain
from tests.controlplane.build import cache_folder, to_stderr

HERE = Path(__file__).parent


def program(name: str) -> Path:
    """The executable of the Go module in the folder ``name``; errors as `gomodule.program`."""
    return gomodule.program(HERE / name, name=name, folder="bench")


def version(executable: Path) -> str:
    """Like ``go1.26.8``: what built an executable, as it says itself."""
    go = toolchain.find_go(HERE / "go-webhook" / "go.mod", cache_folder(), to_stderr)
    said = subprocess.run((go, "version", executable), capture_output=True, text=True, check=True)
    return said.stdout.split()[-1]
