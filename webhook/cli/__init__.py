"""The command ``netreeve``, also ``kubectl netreeve``: one module for each subcommand.

The only place that reads arguments and writes to a terminal. A module of this package that has
``add_parser(subparsers)`` is a subcommand; it sets ``run``, a function from the parsed arguments
to the exit code: 0 success, 1 something was denied, 2 usage or unreadable input.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from webhook.cli.arguments import Parser

INTERRUPTED = 130
BROKEN_PIPE = 141
"""As shells report a program that ended by SIGINT or SIGPIPE."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    _never_fail_to_print()
    try:
        try:
            args = parser().parse_args(argv)
        except SystemExit as end:  # argparse has printed the help or the error
            code = int(end.code or 0)
        else:
            code = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return BROKEN_PIPE
    return code


def parser() -> argparse.ArgumentParser:
    """The parser with every subcommand."""
    root = Parser(
        prog=_program(),
        description="Netreeve keeps Kubernetes workloads from opening the network by accident.",
        epilog="Exit codes: 0 success, 1 something was denied, 2 usage or unreadable input.",
    )
    subparsers = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for found in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{found.name}")
        if hasattr(module, "add_parser"):
            module.add_parser(subparsers)
    return root


def _program() -> str:
    """What was typed, for the usage lines: kubectl runs ``kubectl-netreeve`` for its user."""
    name = Path(sys.argv[0]).name
    return "kubectl netreeve" if name.startswith("kubectl-netreeve") else "netreeve"


def _never_fail_to_print() -> None:
    """A terminal that cannot show a character gets an escape instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Nobody reads any more; the interpreter must not complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
