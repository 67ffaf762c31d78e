"""Where manifests are: files, folders and standard input, read as often as it takes.

Judging needs two passes, because a document may say something of those before it; a pipe can be
read once, so that what it holds is kept on disk. Knows nothing of what is in a manifest.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from webhook.audit.findings import Unreadable
from webhook.audit.manifests import STDIN, Input, Manifest, Stranger, name, parse

ENDINGS = (".yaml", ".yml", ".json")
_CHART = "Chart.yaml"
_RENDERED = ("templates", "charts", "files")
"""Folders of a chart (helm.sh/docs/topics/charts): what is in them means something to Helm only."""


class Sources:
    """Everything at some paths, in order, each time it is iterated; folders are read recursively.

    ``-`` is standard input. lenient: named files may hold other things beside manifests, as folders
    may. A context manager, because it keeps what came through pipes.
    """

    def __init__(
        self, paths: Iterable[str], stdin: BinaryIO | None, *, lenient: bool = False
    ) -> None:
        self._paths, self._stdin, self._lenient = tuple(paths), stdin, lenient
        self._kept: dict[str, BinaryIO] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def __iter__(self) -> Iterator[Input]:
        return self._read(None)

    def mentioning(self, *words: str) -> Iterator[Manifest]:
        """Quickly: the manifests in whose text one of the words is, and some more.

        A word can also be written with escapes or a tag, so that documents with those are read.
        """
        only = re.compile("|".join((*words, r"[\\!]")).encode())
        return (one for one in self._read(only) if isinstance(one, Manifest))

    def _read(self, only: re.Pattern[bytes] | None) -> Iterator[Input]:
        for path in self._paths:
            if path == STDIN:
                yield from self._standard_input(only)
            elif os.path.isdir(path):
                yield from self._folder(path, only)
            else:
                found = self._file(path, only)
                yield from map(_stranger, found) if self._lenient else found

    def _standard_input(self, only: re.Pattern[bytes] | None) -> Iterator[Input]:
        """Nothing at all is what a command that failed leaves in a pipe, and no clean result."""
        if self._stdin is None:
            yield Unreadable(STDIN, None, "standard input is closed")
            return
        try:
            if STDIN not in self._kept:
                self._keep(STDIN, self._stdin)
        except OSError as error:
            yield _failed(STDIN, error)
            return
        stream = self._kept[STDIN]
        stream.seek(0)
        if not any(line.strip() for line in stream):
            message = "standard input is empty: did the command before it fail?"
            yield Unreadable(STDIN, None, message)
            return
        stream.seek(0)
        yield from parse(stream, STDIN, only)

    def _folder(self, path: str, only: re.Pattern[bytes] | None) -> Iterator[Input]:
        closed: list[OSError] = []
        files: list[str] = []
        charts: list[str] = []
        for folder, below, names in os.walk(path, onerror=closed.append):
            if _CHART in names:
                charts.append(os.path.normpath(folder))
                names.remove(_CHART)
                below[:] = [one for one in below if one not in _RENDERED]
            files += (os.path.join(folder, one) for one in names if one.endswith(ENDINGS))
        for error in closed:
            yield _failed(str(error.filename), error)
        yield from map(_unrendered, sorted(charts))
        if not (files or closed or charts):
            yield Unreadable(path, None, f"holds no file that ends in {', '.join(ENDINGS)}")
        for file in sorted(map(os.path.normpath, files)):
            # Repositories hold other YAML beside manifests; a file that is named is a manifest.
            yield from map(_stranger, self._file(file, only))

    def _file(self, path: str, only: re.Pattern[bytes] | None) -> Iterator[Manifest | Unreadable]:
        try:
            if path in self._kept or not stat.S_ISREG(os.stat(path).st_mode):
                yield from parse(self._pipe(path), path, only)
            else:
                with Path(path).open("rb") as stream:
                    yield from parse(stream, path, only)
        except OSError as error:
            yield _failed(path, error)

    def _pipe(self, path: str) -> BinaryIO:
        """What came through a pipe such as that of ``<(kustomize build)``, from its beginning."""
        if path not in self._kept:
            with Path(path).open("rb") as stream:
                self._keep(path, stream)
        self._kept[path].seek(0)
        return self._kept[path]

    def _keep(self, path: str, stream: BinaryIO) -> None:
        kept = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        self._open.callback(kept.close)
        shutil.copyfileobj(stream, kept)
        self._kept[path] = kept


def _stranger(found: Manifest | Unreadable) -> Input:
    if isinstance(found, Unreadable) and found.stranger:
        return Stranger(found.file, found.line or 1)
    return found


def _unrendered(chart: str) -> Unreadable:
    shown = name(chart)
    command = f"helm template NAME {shown} | netreeve check -"
    return Unreadable(shown, None, f"is a Helm chart; render it first: {command}")


def _failed(path: str, error: OSError) -> Unreadable:
    return Unreadable(name(path), None, error.strerror or str(error))
