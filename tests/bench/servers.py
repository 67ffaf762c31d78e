"""The three servers that are compared, all on one core: Netreeve, a bare handler, a Go webhook.

Owns how they are started and where they listen. They run side by side, and idle while another
one is measured.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import go
from tests.bench.pinned import pinned
from tests.controlplane.process import Process, Spawner
from tests.controlplane.wait import wait_for

HERE = Path(__file__).parent
START_SECONDS = 30.0
STOP_SECONDS = 5.0
ANY_PORT = "127.0.0.1:0"
_ADDRESS = re.compile(r"https://[\d.]+:\d+")

OURS, BARE, GO = "netreeve", "bare", "go"
NAMES = (OURS, BARE, GO)


@dataclass(frozen=True)
class Server:
    """A server that listens. address: ``https://127.0.0.1:PORT``; ca: what verifies it."""

    name: str
    address: str
    ca: Path
    pid: int

    def processor_seconds(self) -> float:
        """What it has used so far; not a number where the system does not tell (proc(5))."""
        file = Path(f"/proc/{self.pid}/stat")
        if not file.exists():
            return math.nan
        # The second field is the program's name in brackets; these are the 14th and the 15th.
        user, system = file.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(names: Iterable[str], folder: Path, core: int) -> Iterator[dict[str, Server]]:
    """The servers of these names, by name, until the block ends; their logs are in ``folder``.

    Netreeve always runs: it makes the certificate that all of them serve.
    """
    certs, spawner = folder / "certs", Spawner()
    started: list[Process] = []
    try:
        servers: dict[str, Server] = {}
        for name in (OURS, *(name for name in names if name != OURS)):
            log = folder / f"{name}.log"
            process = Process(name, pinned(core, _command(name, certs)), log)
            started.append(process)
            process.start(spawner)
            servers[name] = Server(name, _listening(process), certs / "ca.crt", process.pid)
        yield {name: servers[name] for name in names}
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.stop(STOP_SECONDS)
        spawner.close()


def _command(name: str, certs: Path) -> list[str]:
    if name == OURS:
        return [
            *(sys.executable, "-m", "webhook", "serve", "--standalone", "--drain", "0"),
            *("--listen", ANY_PORT, "--health-listen", ANY_PORT),
            *("--cert-dir", str(certs), "--config", str(HERE / "gateconfig.yaml")),
        ]
    if name == BARE:
        return [sys.executable, "-m", "tests.bench.bare", "--listen", ANY_PORT, str(certs)]
    pair = ("-cert", str(certs / "tls.crt"), "-key", str(certs / "tls.key"))
    return [str(go.program("go-webhook")), "-listen", ANY_PORT, *pair]


def _listening(process: Process) -> str:
    """Where a server listens: each says so as soon as it does."""

    def address() -> str:
        process.check()
        found = _ADDRESS.search(process.log.read_text())
        return found[0] if found else ""

    return wait_for(address, START_SECONDS, f"{process.name} to listen")
