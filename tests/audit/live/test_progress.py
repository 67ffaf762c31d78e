"""Whoever waits at a terminal sees how far an audit is; in a pipe there is the report alone."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller.faults import Fault, Faults
from tests.controlplane.cluster import ControlPlane

pytestmark = pytest.mark.cluster


@pytest.fixture
def dawdling(control_plane: ControlPlane, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """The command on an API server that takes its time with every list of pods."""
    with Faults(control_plane, control_plane.kubeconfig, tmp_path) as front:
        front.inject(Fault("^GET /api/v1/pods", late=1.0))
        where = ("--kubeconfig", str(front.kubeconfig))
        yield (sys.executable, "-m", "webhook", "audit", "-o", "json", *where)


def test_a_terminal_shows_what_is_read(dawdling: tuple[str, ...]) -> None:
    main, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(dawdling, stdout=subprocess.PIPE, stderr=terminal, env=environment)
    os.close(terminal)
    shown = b"".join(_read(main))
    report, _ = process.communicate(timeout=60)
    os.close(main)
    plain = re.sub(rb"\x1b\[[0-9;]*m", b"", shown)
    assert re.search(rb"Reading pods [^\r]* 16/17 [1-9][0-9]* objects", plain), plain
    assert b"Reading" not in report
    assert json.loads(report)["objects"]


def _read(main: int) -> Iterator[bytes]:
    """Until nobody has the terminal open, which Linux tells by an error."""
    while True:
        try:
            piece = os.read(main, 1 << 16)
        except OSError:
            return
        if not piece:
            return
        yield piece


def test_a_pipe_shows_nothing(dawdling: tuple[str, ...]) -> None:
    done = subprocess.run(dawdling, capture_output=True, check=False, timeout=60)
    assert done.stderr == b""
    assert json.loads(done.stdout)["objects"]
