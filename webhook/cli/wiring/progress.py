"""How far the reading of a cluster is, as a bar on a terminal; nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from webhook.audit.live.scan import Step


class Bar:
    """Of collections, because how many objects they hold is known when they have been read."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("Connecting", total=None, objects=0)

    def read(self, step: Step) -> None:
        self._progress.update(
            self._task,
            description=f"Reading {step.resource}",
            completed=step.done,
            total=step.total,
            objects=step.objects,
        )

    def say(self, what: str) -> None:
        """What else takes time, for as long as nobody knows."""
        self._progress.update(self._task, description=what)


@contextmanager
def shown() -> Iterator[Bar]:
    """On standard error, and gone at the end."""
    console = Console(file=sys.stderr)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[objects]} objects"),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield Bar(progress)
