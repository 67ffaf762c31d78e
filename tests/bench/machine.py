"""What a figure was measured with: the machine, the programs and their versions."""

from __future__ import annotations

import platform
import re
import ssl
import subprocess
from pathlib import Path

import uvicorn

from tests.bench import go
from tests.bench.load import Generator
from tests.bench.pinned import cores

Machine = dict[str, str]


def describe(generator: Generator, server_core: int) -> Machine:
    """Names and values, all text, in the order in which they are printed."""
    return {
        "processor": f"{_processor()}, {len(cores()) or 'unknown number of'} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": ssl.OPENSSL_VERSION.removeprefix("OpenSSL ").split()[0],
        "uvicorn": uvicorn.__version__,
        "go": go.version(go.program("go-webhook")),
        "load": _load(generator),
        "pinned": f"servers to core {server_core}, load to core {generator.core}"
        if cores()
        else "nothing: this system cannot",
    }


def _processor() -> str:
    """The model name as Linux tells it, else the architecture."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return model[1] if model else platform.machine()


def _load(generator: Generator) -> str:
    if not generator.is_wrk:
        return "go-load"
    # It prints its version with its usage, and ends with an error.
    said = subprocess.run(
        (generator.program, "--version"), capture_output=True, text=True, check=False
    )
    return " ".join(said.stdout.split()[:2])
