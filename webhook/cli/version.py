"""``netreeve version``: which version this is."""

from __future__ import annotations

import argparse
import platform

from webhook.version import installed


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "version",
        help="print the version of netreeve and of Python",
        description="Prints the version of netreeve, and of the Python that runs it.",
    )
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    version = installed() or "from sources, not installed"
    print(f"netreeve {version} (Python {platform.python_version()})")
    return 0
