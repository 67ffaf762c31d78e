"""``netreeve version``: which version this is."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "version",
        help="print the version of netreeve and of Python",
        description="Prints the version of netreeve, and of the Python that runs it.",
    )
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    print(f"netreeve {_version()} (Python {platform.python_version()})")
    return 0


def _version() -> str:
    """Of the installed package: pyproject.toml is the one place that states it."""
    try:
        return version("netreeve")
    except PackageNotFoundError:
        return "from sources, not installed"
