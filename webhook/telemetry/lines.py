"""Lines to a file by a thread of its own, so that a full pipe never stops the event loop.

Knows bytes only. When the reader of the pipe is slower than we are, lines are dropped and
counted, never waited for.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import BinaryIO

MOST_WAITING = 10_000
"""Lines kept while the file does not take them: a few megabytes."""

_GATHER_SECONDS = 0.2
"""Lines are written in batches: a thread that wakes for every line competes for the interpreter.
Whoever is being answered when it wakes waits for it; this seldom it does not show in p99."""


class LineWriter:
    """Writes what is `put` in order; close() writes the rest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: deque[bytes] = deque()
        self._ready = threading.Event()
        self._closing = threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Queue a line without its end."""
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.append(line)
        if not self._ready.is_set():
            self._ready.set()

    def close(self, timeout: float = 2.0) -> None:
        """Write what waits, for at most ``timeout`` seconds."""
        self._closing.set()
        self._ready.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._ready.wait()
            self._closing.wait(_GATHER_SECONDS)
            self._ready.clear()  # before the batch is taken: a later line sets it again
            self._write()
        self._write()

    def _write(self) -> None:
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not batch:
            return
        try:
            self._file.write(b"\n".join([*batch, b""]))
            self._file.flush()
        except (OSError, ValueError):  # nobody reads any more; ValueError: the file is closed
            self.dropped += len(batch)
