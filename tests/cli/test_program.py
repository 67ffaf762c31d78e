"""The program as people start it: processes, signals, pipes and terminals of all kinds."""

from __future__ import annotations

import errno
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec: {hostNetwork: true}\n"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "webhook", *arguments]


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **variables}


def run(
    *arguments: str,
    stdin: str = "",
    program: list[str] | None = None,
    encoding: str = "utf-8",
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program or command(*arguments),
        input=stdin,
        capture_output=True,
        encoding=encoding,
        env=environment(**variables),
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(("stdin", "code"), [("---\n", 0), (BAD, 1), ("a: [", 2)])
def test_the_exit_code_is_that_of_the_process(stdin: str, code: int) -> None:
    done = run("check", "-", stdin=stdin)
    assert (done.returncode, done.stderr) == (code, "")


def test_a_closed_standard_input_does_not_matter_where_it_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    shell = ["sh", "-c", '"$0" -m webhook check "$1" <&-', sys.executable, str(file)]
    done = run(program=shell)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_version() -> None:
    done = run("version")
    assert done.returncode == 0
    assert done.stdout.startswith("netreeve ")


@pytest.mark.parametrize(
    ("name", "usage"),
    [("netreeve", "usage: netreeve "), ("kubectl-netreeve", "usage: kubectl netreeve ")],
)
def test_the_usage_names_what_was_typed(tmp_path: Path, name: str, usage: str) -> None:
    script = tmp_path / name
    script.write_text("import sys\nfrom webhook.cli import main\nsys.exit(main())\n")
    done = run(program=[sys.executable, str(script), "check", "--help"])
    assert done.returncode == 0
    assert done.stdout.startswith(usage)


def test_a_reader_that_goes_away_is_no_error() -> None:
    """``netreeve check ... | head``: with more output than fits into the pipe."""
    manifests = "\n---\n".join([BAD] * 1000)
    reader, writer = os.pipe()
    with subprocess.Popen(
        command("check", "-"),
        stdin=subprocess.PIPE,
        stdout=writer,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        os.close(reader)
        os.close(writer)
        _, err = process.communicate(manifests, timeout=60)
    assert (process.returncode, err) == (141, "")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Programs started in the background of a shell are deaf to SIGINT, and their children too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_without_a_traceback(tmp_path: Path) -> None:
    fifo = tmp_path / "manifests.yaml"
    os.mkfifo(fifo)
    with subprocess.Popen(
        command("check", str(fifo)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        try:
            writer = open_for_a_reader(fifo)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    os.close(writer)
    assert (process.returncode, out, err) == (130, "", "")


def open_for_a_reader(fifo: Path) -> int:
    """The writing end, as soon as the program has opened the other and waits for it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
    raise TimeoutError("the program does not read")


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", r"\xfcn\xefcode-\u7f51"), ("latin-1", r"ünïcode-\u7f51")]
)
def test_a_terminal_that_knows_few_characters_gets_escapes(
    tmp_path: Path, encoding: str, shown: str
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD.replace("bad", "ünïcode-网"), encoding="utf-8")
    done = run("check", str(file), encoding=encoding, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"Pod default/{shown}  ")


def test_colour_is_for_terminals_only() -> None:
    assert "\x1b[" not in run("check", "-", stdin=BAD).stdout
    assert "\x1b[" in in_a_terminal("check", "-")


def in_a_terminal(*arguments: str) -> str:
    """What the command prints on a pseudo-terminal; BAD is its standard input."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command(*arguments),
        stdin=subprocess.PIPE,
        stdout=theirs,
        env=environment(TERM="xterm-256color", NO_COLOR=""),
        text=True,
    ) as process:
        os.close(theirs)
        assert process.stdin is not None
        process.stdin.write(BAD)
        process.stdin.close()
        shown = b""
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # EIO: the other side is closed
                break
            if not chunk:
                break
            shown += chunk
    os.close(ours)
    return shown.decode()
