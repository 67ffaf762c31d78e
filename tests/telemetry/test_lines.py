"""The writer of lines: order, a reader that is slow or gone, and the end."""

from __future__ import annotations

import io
import os
import threading

from tests.controlplane.wait import wait_for
from webhook.telemetry.lines import MOST_WAITING, LineWriter

TIMEOUT = 10.0


def test_lines_are_written_in_order_and_soon() -> None:
    file = io.BytesIO()
    writer = LineWriter(file)
    for number in range(1000):
        writer.put(b"%d" % number)
    wait_for(lambda: file.getvalue().count(b"\n") == 1000, TIMEOUT, "the lines")
    assert [int(line) for line in file.getvalue().splitlines()] == list(range(1000))
    writer.close()
    assert writer.dropped == 0


def test_close_writes_the_rest() -> None:
    file = io.BytesIO()
    writer = LineWriter(file)
    writer.put(b"first")
    writer.put(b"last")
    writer.close()
    assert file.getvalue() == b"first\nlast\n"


def test_a_reader_that_does_not_read_stops_nobody() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as reader, open(writing, "wb", buffering=0) as file:
        writer = LineWriter(file)
        line = b"x" * 99
        for _ in range(3 * MOST_WAITING):  # a megabyte more than the pipe and the queue take
            writer.put(line)
        assert writer.dropped > 0
        kept = 3 * MOST_WAITING - writer.dropped
        found = bytearray()
        draining = threading.Thread(target=lambda: _read(reader, found, kept * 100))
        draining.start()
        writer.close(TIMEOUT)
        draining.join(TIMEOUT)
        assert not draining.is_alive()
    assert found == (line + b"\n") * kept


def _read(reader: io.FileIO, found: bytearray, size: int) -> None:
    while len(found) < size:
        found += reader.read(65536)


def test_a_reader_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb", buffering=0) as file:
        writer = LineWriter(file)
        writer.put(b"a")
        wait_for(lambda: writer.dropped == 1, TIMEOUT, "the line to be given up")
        writer.put(b"b")
        writer.close()
        assert writer.dropped == 2
