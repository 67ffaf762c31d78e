"""One run of a load generator: wrk where it is installed, else the Go one beside this file.

Both keep a number of TLS connections busy with the same body and print the same line of JSON.
Knows nothing of what is measured.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.bench import go
from tests.bench.pinned import pinned

HERE = Path(__file__).parent
GO_LOAD = "go-load"
# What a run may take beyond its duration: the answers that are under way, and a busy machine.
GRACE_SECONDS = 30.0


class LoadError(Exception):
    """A load generator failed; the message carries what it said."""


class Run(msgspec.Struct, frozen=True):
    """What one run saw.

    failures: answers that were no 2xx, and connections that broke. seconds, p50, p99: seconds.
    core: the share of its core that the server used; not a number where that is not known.
    """

    requests: int
    failures: int
    seconds: float
    p50: float
    p99: float
    core: float = math.nan

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def per_core(self) -> float:
        """Requests per second of processor time: what a core serves that nobody else uses.

        The rate, where the processor time is not known.
        """
        return self.rate if math.isnan(self.core) else self.rate / self.core


@dataclass(frozen=True)
class Generator:
    """A load generator and the core it runs on."""

    program: Path
    core: int

    @property
    def is_wrk(self) -> bool:
        return self.program.name == "wrk"

    def run(self, url: str, body: Path, connections: int, seconds: float) -> Run:
        """Keep ``connections`` busy for ``seconds``. Raises LoadError."""
        arguments = _wrk if self.is_wrk else _go_load
        command = [str(self.program), *arguments(url, body, connections, seconds)]
        result = subprocess.run(
            pinned(self.core, command),
            capture_output=True,
            text=True,
            timeout=seconds + GRACE_SECONDS,
            check=False,
        )
        if result.returncode:
            raise LoadError(f"{self.program.name} failed:\n{result.stdout}{result.stderr}")
        return msgspec.json.decode(result.stdout.splitlines()[-1], type=Run)


def find(core: int, name: str | None = None) -> Generator:
    """The load generator of this name; by default wrk, or the Go one where wrk is missing."""
    wrk = shutil.which("wrk")
    if name == "wrk" and wrk is None:
        raise LoadError("wrk is not installed (Debian, Ubuntu: apt-get install wrk)")
    if wrk is None or name == GO_LOAD:
        return Generator(go.program(GO_LOAD), core)
    return Generator(Path(wrk), core)


def _wrk(url: str, body: Path, connections: int, seconds: float) -> list[str]:
    # wrk counts whole seconds only.
    return [
        *("--threads", "1", "--connections", str(connections), "--duration", f"{round(seconds)}s"),
        *("--timeout", "10s", "--script", str(HERE / "wrk.lua"), url, "--", str(body)),
    ]


def _go_load(url: str, body: Path, connections: int, seconds: float) -> list[str]:
    return [
        *("-url", url, "-body", str(body)),
        *("-connections", str(connections), "-duration", f"{seconds}s"),
    ]
