"""``netreeve version``: which version this is."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import version


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "version",
        help="print the version of netreeve and of Python",
        description="Prints the version of netreeve, and of the Python that runs it.",
    )
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    print(f"netreeve {version('netreeve')} (Python {platform.python_version()})")
    return 0
