"""What ``check`` and ``audit`` have in common: the report in several formats, and compared.

Owns options, earlier reports and files. Knows no format: those are in webhook.audit.reports.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from policies.model import Action
from webhook.audit.compare import with_baseline, with_diff
from webhook.audit.findings import Report
from webhook.audit.reports import FORMATS
from webhook.audit.reports.json import read
from webhook.config import GateConfig

_DEFAULT = "table"
_FAIL_ON = {"deny": Action.DENY, "warn": Action.WARN}


class Output(NamedTuple):
    """A format, and the file it goes to; None is standard output."""

    format: str
    file: str | None = None


class Earlier(NamedTuple):
    """The reports of earlier runs that this one is compared with."""

    baseline: Report | None = None
    diff: Report | None = None


class NoReportError(Exception):
    """A file that should hold an earlier report and does not."""


def add_outputs(command: argparse.ArgumentParser) -> None:
    """``--output``, ``--fail-on``, ``--baseline`` and ``--diff``."""
    command.add_argument(
        "-o",
        "--output",
        metavar="FORMAT[=FILE]",
        action=_AddOutput,
        default=(),
        help=f"{', '.join(FORMATS)}; {_DEFAULT} without this option. May be given several times, "
        "where all but one name a file, as in -o sarif=FILE",
    )
    command.add_argument(
        "--fail-on",
        choices=tuple(_FAIL_ON),
        default="deny",
        help="the weakest finding that makes the exit code 1 (default: %(default)s)",
    )
    command.add_argument(
        "--baseline",
        metavar="FILE",
        help="an earlier report (-o json=FILE): what it has found is counted, and fails nothing",
    )
    command.add_argument(
        "--diff",
        metavar="FILE",
        help="an earlier report: say what is new since then, fixed, and still there",
    )


class _AddOutput(argparse.Action):
    """Adds one output to those before it; two cannot share standard output."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        name, equals, file = str(values).partition("=")
        if name not in FORMATS:
            raise argparse.ArgumentError(self, f"{name!r} is none of {', '.join(FORMATS)}")
        if equals and not file:
            raise argparse.ArgumentError(self, f"{values!r} names no file")
        outputs = (*getattr(namespace, self.dest), Output(name, file or None))
        if sum(one.file is None for one in outputs) > 1:
            message = f"only one output can go to standard output; use -o {name}=FILE"
            raise argparse.ArgumentError(self, message)
        setattr(namespace, self.dest, outputs)


def wants_map(args: argparse.Namespace) -> bool:
    """Whether a format shows the exposure map, which takes another look at everything."""
    return any(one.format == "html" for one in args.output)


def earlier(args: argparse.Namespace) -> Earlier:
    """What the options compare with, read before anything is written. Raises NoReportError."""
    return Earlier(*(_read(file) if file else None for file in (args.baseline, args.diff)))


def _read(file: str) -> Report:
    try:
        return read(Path(file).read_bytes())
    except OSError as error:
        raise NoReportError(f"{file}: {error.strerror}") from None
    except (ValueError, msgspec.MsgspecError) as error:
        raise NoReportError(f"{file}: is no report that -o json wrote: {error}") from None


def signed(report: Report, args: argparse.Namespace, config: GateConfig, now: float) -> Report:
    """The report with when it was made, and by which rules. now: Unix time."""
    as_of = getattr(args, "as_of", None)
    judged = replace(
        report.judged,
        time=_moment(now),
        asOf="" if as_of is None or report.judged.source != "cluster" else _moment(as_of),
        profile=config.profile,
        stage="" if config.stage == "enforce" else config.stage,
        config=args.config or "",
    )
    return replace(report, judged=judged)


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def finish(report: Report, args: argparse.Namespace, before: Earlier) -> int:
    """Compares the report, writes it wherever it is wanted, and returns the exit code."""
    report = replace(report, failOn=_FAIL_ON[args.fail_on])
    if before.baseline:
        report = with_baseline(report, before.baseline)
    if before.diff:
        report = with_diff(report, before.diff)
    outputs = args.output or (() if getattr(args, "fix", False) else (Output(_DEFAULT),))
    written = [_write(report, one) for one in outputs]
    return report.exit_code if all(written) else 2


def _write(report: Report, output: Output) -> bool:
    """False, and a message on standard error, where a file cannot be written."""
    write = FORMATS[output.format]
    if output.file is None:
        write(report, sys.stdout)
        return True
    try:
        path = Path(output.file)
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as out:
            write(report, out)
    except OSError as error:
        print(f"netreeve: {output.file}: {error.strerror}", file=sys.stderr)
        return False
    return True
