"""Input without end: a document at a time in memory, and a file of thousands of documents.

NETREEVE_SCALE=full reads a hundred megabytes from the pipe.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, NamedTuple

import pytest

from tests.deploy.dockerfile import ROOT
from webhook.cli import main

MEGABYTES = 100 if os.environ.get("NETREEVE_SCALE") == "full" else 2
SHOP = (ROOT / "deploy" / "examples" / "good" / "shop.yaml").read_text()
BAD = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec:\n  hostNetwork: true\n"


class Ran(NamedTuple):
    """How a run on a stream of so many copies ended, and the most memory it had, in megabytes."""

    code: int
    summary: dict[str, int]
    memory: float


def copy(number: int) -> str:
    """The sample in a namespace of its own."""
    return f"---\n{SHOP.replace('namespace: shop', f'namespace: shop-{number}')}\n"


def feed(pipe: IO[bytes], copies: int) -> None:
    """A broken document in the middle and one that is denied at the end."""
    with pipe:
        for number in range(copies):
            pipe.write(copy(number).encode())
            if number == copies // 2:
                pipe.write(b"---\na: [\n---\na: \xff\n")
        pipe.write(BAD.encode())


def run(copies: int, folder: Path) -> Ran:
    measured = (
        "import re, sys; from webhook.cli import main; code = main(sys.argv[1:]); "
        # Not by getrusage: that remembers the memory of the process that started this one.
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]); sys.exit(code)"
    )
    report = folder / f"{copies}.json"
    command = [sys.executable, "-c", measured, "check", "-o", f"json={report}", "-"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdin
        assert process.stdout
        writer = threading.Thread(target=feed, args=(process.stdin, copies))
        writer.start()
        memory = int(process.stdout.read()) / 1000
        writer.join()
    return Ran(process.returncode, json.loads(report.read_bytes())["summary"], memory)


@pytest.mark.slow
def test_a_pipe_is_judged_a_document_at_a_time(tmp_path: Path) -> None:
    """What stays is a line or two about each object, a fifth of its text and less than its tree."""
    few, many = 50, int(MEGABYTES * 1e6 / len(copy(0)))
    small, large = run(few, tmp_path), run(many, tmp_path)
    for ran, copies in ((small, few), (large, many)):
        assert ran.code == 2
        assert (ran.summary["denied"], ran.summary["unreadable"]) == (1, 2)
        assert ran.summary["allowed"] == 4 * copies
        assert ran.summary["unknown"] == copies
    assert large.memory - small.memory < 6 * MEGABYTES


@pytest.mark.slow
def test_a_file_of_thousands_of_documents_names_the_line_of_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = BAD.count("\n")
    (tmp_path / "many.yaml").write_text(BAD * 5_000)
    assert main(["check", "-o", "json", str(tmp_path / "many.yaml")]) == 1
    found = json.loads(capsys.readouterr().out)["objects"]
    assert [one["line"] for one in found] == [2 + lines * number for number in range(5_000)]
    assert {one["findings"][0]["line"] - one["line"] for one in found} == {4}
