"""``--fix``: shows what it would change in which manifest, asks, and writes it.

Owns the question and the files. What is changed is for webhook.audit.fix to say.
"""

from __future__ import annotations

import argparse
import difflib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from webhook.audit.findings import Report
from webhook.audit.fix.plan import Plan, plans
from webhook.audit.manifests import STDIN
from webhook.audit.reports.words import place, plural, printable


class FixError(Exception):
    """Why nothing is fixed, for the user."""


def add_fix(command: argparse.ArgumentParser) -> None:
    """``--fix`` and what belongs to it."""
    command.add_argument(
        "--fix",
        action="store_true",
        help="correct in the files what has one safe remedy; shows the changes and asks first",
    )
    command.add_argument(
        "--ndots",
        action="store_true",
        help="with --fix: also write the ndots that the gate gives to pods into pods and templates",
    )
    command.add_argument("--dry-run", action="store_true", help="with --fix: only show the changes")
    command.add_argument(
        "-y", "--yes", action="store_true", help="with --fix: do not ask, for use in scripts"
    )


def ask_nothing_impossible(args: argparse.Namespace) -> None:
    """Raises FixError for options that do not go together, before anything is read."""
    if not args.fix:
        if args.dry_run or args.yes or args.ndots:
            raise FixError("--dry-run, --ndots and --yes belong to --fix")
        return
    if STDIN in args.paths:
        raise FixError("--fix changes files, and - is none")
    if any(one.file is None for one in args.output):
        raise FixError("--fix prints its changes: give the report a file, as in -o json=FILE")
    if not (args.yes or args.dry_run or _is_terminal()):
        raise FixError("--fix asks, and there is no terminal: give --yes, or --dry-run")


def fix(report: Report, args: argparse.Namespace) -> bool:
    """Shows the changes and makes them; False where there are none, or where they are unwanted.

    Raises OSError.
    """
    found = list(plans(report))
    changed = [plan for plan in found if plan.before != plan.after]
    sys.stdout.writelines(line for plan in changed for line in _diff(plan))
    for problem in report.unreadable:
        text = f"{place(problem)}: {printable(problem.message)}"
        print(f"netreeve: cannot read {text}", file=sys.stderr)
    for plan in found:
        for text in plan.refused:
            print(f"netreeve: not fixed: {printable(text)}", file=sys.stderr)
    if not changed:
        read = " in what could be read" if report.unreadable else ""
        print(f"netreeve: nothing to fix{read}", file=sys.stderr)
    if not changed or args.dry_run or not (args.yes or _agreed(changed)):
        return False
    for plan in changed:
        _write(plan)
    print(f"netreeve: {plural(len(changed), 'file')} changed", file=sys.stderr)
    return True


def _diff(plan: Plan) -> Iterator[str]:
    """As `git diff` shows it; a terminal gets no control characters from the file."""
    name = printable(plan.file).lstrip("/")
    before, after = _lines(plan.before), _lines(plan.after)
    for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"):
        shown = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        yield f"{printable(line.rstrip())}\n" if sys.stdout.isatty() else shown


def _lines(data: bytes) -> list[str]:
    return io.StringIO(data.decode(errors="backslashreplace"), newline="\n").readlines()


def _agreed(changed: Sequence[Plan]) -> bool:
    sys.stdout.flush()
    print(f"Write this to {plural(len(changed), 'file')}? [y/N] ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _write(plan: Plan) -> None:
    """All or nothing, even if the machine stops in between; links and rights stay as they are."""
    path = Path(os.path.realpath(plan.file))
    if path.read_bytes() != plan.before:
        raise OSError(0, "has changed in the meantime", plan.file)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as out:
            out.write(plan.after)
        shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
