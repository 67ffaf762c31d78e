"""What to change in which file: the remedies of a report as new contents, each change proven.

An edit counts only if the document then says exactly what it said before, with the remedy and
nothing else; and whatever is not edited stays as it is, byte for byte. Writes no file.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from policies.model import Remedy
from webhook.audit.findings import Report, Result
from webhook.audit.fix.edits import CannotError, edit
from webhook.audit.manifests import Manifest, in_chunk
from webhook.config.chunks import chunks
from webhook.config.yamltext import read

_MARK = b"\xef\xbb\xbf"


class Plan(NamedTuple):
    """The changes of one file. refused: which findings have a remedy that is not used, and why."""

    file: str
    before: bytes
    after: bytes
    refused: tuple[str, ...] = ()


def plans(report: Report) -> Iterator[Plan]:
    """One for every file that holds something with a remedy. Raises OSError."""
    for file in dict.fromkeys(one.file for one in report.results if _remedies(one)):
        results = [one for one in report.results if one.file == file]
        yield plan(file, Path(file).read_bytes(), results)


class _Wanted(NamedTuple):
    """A remedy, and where and of what a message about it speaks."""

    remedy: Remedy
    place: str


def _remedies(result: Result) -> dict[tuple[Any, ...], _Wanted]:
    """All of an object; the last elements of lists first, as insertions move others."""
    found = {
        one.remedy.path: _Wanted(
            one.remedy, f"{one.line or result.line}: {one.policy}: {one.field}"
        )
        for one in result.findings
        if one.remedy
    }
    for remedy in result.additions or ():
        field = ".".join(map(str, remedy.path[:-1]))
        found[remedy.path] = _Wanted(remedy, f"{result.line}: ndots: {field}")
    order = sorted(found, key=lambda path: [(isinstance(step, int), step) for step in path])
    return {path: found[path] for path in reversed(order)}


def plan(file: str, data: bytes, results: Iterable[Result]) -> Plan:
    """The changes of a file with this content. results: of all its objects, in their order."""
    waiting: dict[tuple[int, str], list[Result]] = {}
    for result in results:
        waiting.setdefault((result.line, result.kind), []).append(result)
    after: list[bytes] = []
    refused: list[str] = []
    for chunk in chunks(io.BytesIO(data)):
        mark = _MARK if chunk.data.startswith(_MARK) else b""
        try:
            text = chunk.data.removeprefix(mark).decode()
        except UnicodeDecodeError:
            after.append(chunk.data)
            continue
        for manifest in in_chunk(chunk, file):
            queue = waiting.get((manifest.line or 0, getattr(manifest, "kind", "")))
            if isinstance(manifest, Manifest) and queue:
                text, problems = _edited(text, manifest, queue.pop(0))
                refused += problems
        after.append(mark + text.encode())
    return Plan(file, data, b"".join(after), tuple(refused))


def _edited(text: str, manifest: Manifest, result: Result) -> tuple[str, list[str]]:
    refused: list[str] = []
    root = _steps(manifest.path)
    for remedy, place in _remedies(result).values():
        try:
            changed = edit(text, root, remedy).apply(text)
            _prove(text, changed, root, remedy)
        except CannotError as error:
            refused.append(f"{result.file}:{place} {error}")
        else:
            text = changed
    return text, refused


def _steps(path: str) -> tuple[str | int, ...]:
    """``items[1].items[0]`` as keys and positions: an object is in Lists and in nothing else."""
    parts = path.replace("[", ".").replace("]", "").split(".")
    return tuple(int(part) if part.isdigit() else part for part in parts if part)


def _prove(before: str, after: str, root: tuple[str | int, ...], remedy: Remedy) -> None:
    """Raises CannotError unless the documents differ by the remedy and nothing else."""
    (old,), new = read(before, 1), read(after, 1)
    wanted = json.loads(json.dumps(old.value))  # a copy in which aliases share nothing
    _apply(wanted, [*root, *remedy.path], remedy)
    if len(new) != 1 or new[0].problems or new[0].value != wanted:
        raise CannotError("cannot be changed without changing something else")


def _apply(value: Any, path: list[str | int], remedy: Remedy) -> None:
    *steps, last = path
    for step, below in zip(steps, path[1:], strict=True):
        empty: Any = [] if isinstance(below, int) else {}
        value = value.setdefault(step, empty) if isinstance(value, dict) else value[step]
    if remedy.insert:
        value.insert(last, remedy.value)
    else:
        value[last] = remedy.value
