"""Processes end when they should, and say why when they end by themselves."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.process import Port, Process, ProcessFailedError, Spawner
from tests.controlplane.wait import wait_for

ROOT = Path(__file__).parents[2]
# Says its process id and then waits to be ended.
SERVER = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
# Starts that server and waits as well; its own end is what the test brings about.
PARENT = f"""
import signal, sys
from pathlib import Path
from tests.controlplane.process import Process, Spawner
Process("server", (sys.executable, "-c", {SERVER!r}), Path(sys.argv[1])).start(Spawner())
signal.pause()
"""


@pytest.fixture
def spawner() -> Iterator[Spawner]:
    """Closed at the end, as a control plane does."""
    spawner = Spawner()
    yield spawner
    spawner.close()


def server(log: Path, program: str = SERVER) -> Process:
    """Something that runs until it is stopped."""
    return Process("server", (sys.executable, "-c", program), log)


def said(log: Path) -> str:
    """What it wrote so far."""
    return log.read_text() if log.exists() else ""


def alive(pid: int) -> bool:
    """Whether a process exists; one that only waits for its parent to notice does not count."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_process_can_be_stopped_and_started_again(tmp_path: Path, spawner: Spawner) -> None:
    """Both runs write to one log; stopping twice is no mistake, starting twice is."""
    process = server(tmp_path / "log")
    for runs in (1, 2):
        process.start(spawner)
        wait_for(lambda: said(process.log).count("\n") == runs, 10, "a line")  # noqa: B023
        with pytest.raises(RuntimeError, match="running already"):
            process.start(spawner)
        process.stop(10)
        process.stop(10)
        assert not process.running


def test_a_process_that_will_not_end_is_ended(tmp_path: Path, spawner: Spawner) -> None:
    """After the grace period nobody is asked any more."""
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVER
    process = server(tmp_path / "log", stubborn)
    process.start(spawner)
    pid = int(wait_for(lambda: said(process.log), 10, "its id"))
    process.stop(grace=0.1)
    assert not alive(pid)


def test_an_end_of_its_own_shows_the_log(tmp_path: Path, spawner: Spawner) -> None:
    """The status and the last words are in the error."""
    process = server(tmp_path / "log", "raise SystemExit('no such luck')")
    process.start(spawner)
    wait_for(lambda: not process.running, 10, "its end")
    with pytest.raises(ProcessFailedError, match=r"server ended with status 1(?s:.*)no such luck"):
        process.check()


def test_a_process_outlives_the_thread_that_asked_for_it(tmp_path: Path, spawner: Spawner) -> None:
    """The kernel ends children with the thread that started them: that one is the spawner's."""
    process = server(tmp_path / "log")
    thread = threading.Thread(target=process.start, args=(spawner,))
    thread.start()
    thread.join()
    wait_for(lambda: said(process.log), 10, "a line")
    assert process.running
    process.stop(10)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_nothing_outlives_the_parent(tmp_path: Path) -> None:
    """Not even when that is killed and cannot clean up."""
    log = tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", PARENT, log], cwd=ROOT) as parent:
        child = int(wait_for(lambda: said(log), 10, "the id of the child"))
        assert alive(child)
        os.kill(parent.pid, signal.SIGKILL)
    wait_for(lambda: not alive(child), 10, "the end of the child")


def test_a_reserved_port_is_free_only_for_those_who_share() -> None:
    """Nobody else gets it, and it takes no connection until a server listens beside it."""
    port = Port()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port.number))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port.number), timeout=5)
    with socket.socket() as sharing:
        sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sharing.bind(("127.0.0.1", port.number))
        sharing.listen()
        socket.create_connection(("127.0.0.1", port.number), timeout=5).close()
    port.close()
