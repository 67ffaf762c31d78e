"""Writing for people: colour and wrapping on a terminal, plain unwrapped lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, RenderableType
from rich.table import Table

UNLIMITED = 100_000
"""Columns of a pipe: nothing wraps, for grep."""
PROSE = 80


def show(renderables: Iterable[RenderableType], out: TextIO, *, pipe: int = UNLIMITED) -> None:
    """Prints one below the other; ``pipe`` is the width where ``out`` is no terminal.

    Nothing in a text is taken for markup, an emoji or a link.
    """
    width = None if out.isatty() else pipe
    console = Console(file=out, width=width, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        for renderable in renderables:
            console.print(renderable)
    # A table fills its columns with spaces, which neither a pipe nor a terminal needs.
    out.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def grid(columns: int) -> Table:
    """A table without lines whose last column takes the rest of the width."""
    table = Table.grid(padding=(0, 2))
    for _ in range(columns - 1):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table
