"""The documents of a stream as bytes, one at a time, cut at the separators of YAML.

One error then spoils one document, and no more than one document is in memory. Knows nothing of
what is between the separators.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

LONGEST = 32 << 20
"""Bytes of one document: an object has at most 3 MiB (etcd), so that only Lists are longer."""

_SEPARATOR = re.compile(rb"---(?=\s|$)")


class Chunk(NamedTuple):
    """The bytes of a document, its separator included, and the line of the stream they begin on.

    too_long: it has more than LONGEST bytes, of which only the first are here.
    """

    data: bytes
    line: int
    too_long: bool = False


def chunks(stream: BinaryIO) -> Iterator[Chunk]:
    """Cuts the rest of a stream; the first chunk is there even if it is empty."""
    reader = _Reader()
    whole = True
    while data := stream.readline(LONGEST):
        if whole and _SEPARATOR.match(data) and reader.size:
            yield reader.taken()
        reader.add(data)
        whole = data.endswith(b"\n")
    yield reader.taken()


class _Reader:
    """Collects the parts of one chunk, and forgets those that are too many."""

    def __init__(self) -> None:
        self._line = self._next = 1
        self._parts: list[bytes] = []
        self.size = 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        self._next += data.count(b"\n")
        if self.size <= LONGEST:
            self._parts.append(data)

    def taken(self) -> Chunk:
        chunk = Chunk(b"".join(self._parts), self._line, self.size > LONGEST)
        self._line, self._parts, self.size = self._next, [], 0
        return chunk
