"""`make playground` as a person uses it: its own commands do what it says of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.wait import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def commands() -> Iterator[list[str]]:
    """What it prints to be typed; the first sets the environment. It ends well when interrupted."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.install.playground"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as playground:
        assert playground.stdout is not None
        said = ""
        while "Ctrl-C ends" not in said:
            line = playground.stdout.readline()
            assert line, said
            said += line
        yield re.findall(r"^  (\S.*)$", said, re.MULTILINE)
        playground.send_signal(signal.SIGINT)
        assert playground.stdout.read().strip() == "Ended."
    assert playground.returncode == 0


def typed(export: str, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f"{export}\n{command}"], capture_output=True, text=True, check=False
    )


def test_its_commands_do_what_it_says(commands: list[str]) -> None:
    export, refused, protected, exempt, adopt, command = commands
    folder = Path(export.partition("KUBECONFIG=")[2].split()[0]).parent

    done = typed(export, refused)
    assert done.returncode == 1
    assert "denied the request" in done.stderr
    assert "node-port" in done.stderr

    typed(export, protected)
    again = protected.partition("; ")[2]
    wait_for(lambda: "default-deny" in typed(export, again).stdout, 60, "the baseline")
    assert "allow-dns" in typed(export, again).stdout

    done = typed(export, exempt)
    assert done.returncode == 0, done.stderr
    assert "netreeve.io/exempt-stamp" in done.stdout
    assert folder.exists()

    assert typed(export, "kubectl netreeve version").returncode == 0

    done = typed(export, f"{adopt} --yes")
    assert "shop is now under default-deny" in done.stderr
    assert "What would be cut off: 0 of 0 connections" in done.stdout

    exemptions, _, doctor = command.partition("; ")
    listed = typed(export, exemptions)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "1 exemption: 1 granted" in listed.stdout
    assert "0 errors" in typed(export, doctor).stdout
