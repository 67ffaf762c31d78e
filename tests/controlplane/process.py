"""One server process of ours: started, watched, ended; its output in one log file.

Knows operating-system processes and loopback ports, and nothing of Kubernetes. It only ever
signals processes that it started itself.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")
TAIL_LINES = 30


class ProcessFailedError(Exception):
    """A process ended by itself; the message carries the end of its log."""


class Spawner:
    """The thread that starts processes, and whose end ends them.

    Linux delivers the parent-death signal when the *thread* that started the child ends, so a
    test that restarts something from a thread of its own would take it along with that thread.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="controlplane")

    def start(self, argv: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
        """Start a program in a process group of its own, its output appended to `log`."""
        return self._thread.submit(_start, argv, log).result()

    def close(self) -> None:
        """End the thread, and on Linux with it whatever it started and nobody stopped."""
        self._thread.shutdown()


class Process:
    """A named server that can be started again after it was stopped."""

    def __init__(self, name: str, argv: Sequence[str | Path], log: Path) -> None:
        self.name = name
        self.log = log
        self._argv = argv
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the running server; a server that is not running is a mistake of the caller."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    def start(self, spawner: Spawner) -> None:
        """Start it; a second start of a running server is a mistake of the caller."""
        if self.running:
            raise RuntimeError(f"{self.name} is running already")
        self._process = spawner.start(self._argv, self.log)

    def check(self) -> None:
        """Raise ProcessFailedError when it was started and has ended by itself."""
        if self._process is None or self._process.poll() is None:
            return
        raise ProcessFailedError(
            f"{self.name} ended with status {self._process.returncode}; the end of {self.log}:\n"
            + tail(self.log)
        )

    def terminate(self) -> None:
        """Ask it to end, without waiting."""
        if self._process is not None and self.running:
            self._process.terminate()

    def kill(self) -> None:
        """End its whole group at once; safe to repeat."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, grace: float) -> None:
        """Ask it to end, wait `grace` seconds, then end its whole group. Safe to repeat."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Port:
    """A free loopback port that stays ours while its server is down.

    The socket is bound but never listens, so it takes no connection; the server binds the same
    port beside it, for which it needs its flag for sharing ports (SO_REUSEPORT). Picking a port
    and letting it go again would leave it to whoever asks next.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind((host, 0))
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Let the port go."""
        self._socket.close()


_QUIET = range(20_000, 32_000)
"""Ports below those that Linux gives to connections as their own (from 32768 on)."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody has now, for a server that takes it in a moment, and again later.

    No connection takes it meanwhile, as those would that go from an address of ours to itself.
    """
    for port in random.sample(_QUIET, 100):
        with contextlib.suppress(OSError), socket.create_server((host, port)):
            return port
    raise RuntimeError(f"no port of {host} is free")


def tail(log: Path) -> str:
    """The last lines of a log file, or a note that there are none."""
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:]) or "(empty log)"


def _start(argv: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
    # A small launcher instead of preexec_fn: that one runs Python between fork and exec, which
    # may hang in a process with threads, and warns about it since Python 3.12.
    wrapper = (sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()))
    with log.open("ab") as output:
        return subprocess.Popen(
            [*wrapper, *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
