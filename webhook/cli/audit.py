"""``netreeve audit``: what a running cluster's objects would get if they were created now."""

from __future__ import annotations

import argparse
import asyncio
import gzip
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from webhook.audit.findings import Report
from webhook.audit.judged import Judged
from webhook.audit.manifests import name
from webhook.audit.replay import NothingJudgedError, replay
from webhook.cli import options, outputs
from webhook.config import ConfigError, GateConfig, ruleset

if TYPE_CHECKING:
    from webhook.cli.wiring.audit import Asked

_DESCRIPTION = """\
Reads a running cluster with your own kubeconfig, judges every object as if it
were created now, and changes nothing. Pods are counted with the Deployment (or
whatever else) they come from. A pod is shown by itself only for findings that
its template does not have.

Needs list on what the policies judge and on namespaces and nodes; what you may
not read is named with the role that would allow it, and the rest is judged.
The ClusterRole view lacks nodes and pod templates; without nodes it finds less
than the gate would, and says so. With -n, rights in the namespace are enough.

With --events it reads no cluster but a log of kube-apiserver's audit, and says
what the gate would have done with every write in it, by whom and where."""

_EPILOG = """\
Give --config the configuration that the cluster runs with, or --profile to try
another one: "what would be denied if we enforced strict?"

Exit codes:
  0  nothing would be denied; there may be warnings (see --fail-on, --baseline)
  1  something would be denied
  2  usage, or something that could not be read; the rest of it is judged

Examples:
  netreeve audit
  netreeve audit -n shop --profile strict
  netreeve audit --context production --config gate.yaml -o json
  netreeve audit --events audit.log --profile strict"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "audit",
        help="judge what runs in a cluster, without changing it",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = options.add_scope(command)
    where.add_argument(
        "--events",
        metavar="FILE",
        help="audit log of kube-apiserver, JSON lines of level RequestResponse (or Request, which "
        "lacks the outcome of patches); .gz too, - for standard input",
    )
    command.add_argument(
        "--as-of",
        metavar="DATE",
        type=_moment,
        default=None,
        help="judge exemptions as they stand on this date (2027-03-31) or at this "
        "time (RFC 3339): which will have ended by then?",
    )
    options.add_stamp_secret(command)
    options.add_cluster(command)
    options.add_config(command)
    outputs.add_outputs(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    # Loads the Kubernetes client, most of a second that no other command needs.
    from webhook.cluster.errors import ClusterError  # noqa: PLC0415

    try:
        # A stage before enforce leaves undone what an audit is to tell.
        config = replace(options.config(args), stage="enforce")
        before = outputs.earlier(args)
        now = time.time()
        report = _events(args.events, config) if args.events else _cluster(args, config, now)
    except (options.UsageError, outputs.NoReportError, NothingJudgedError, ClusterError) as error:
        print(f"netreeve: {error}", file=sys.stderr)
        return 2
    except (ConfigError, OSError) as error:
        options.complain(error)
        return 2
    if not args.events:
        options.say_what_helps(one.file for one in report.unreadable)
    return outputs.finish(outputs.signed(report, args, config, now), args, before)


def _cluster(args: argparse.Namespace, config: GateConfig, now: float) -> Report:
    from webhook.cli.wiring.audit import Asked  # noqa: PLC0415

    controllers = config.baseline.controllers
    as_of = now if args.as_of is None else args.as_of
    asked = Asked(ruleset(config), as_of, args.namespace, controllers, args.stamp_secret)
    return asyncio.run(_read(asked, args))


async def _read(asked: Asked, args: argparse.Namespace) -> Report:
    """Raises ClusterError and UsageError."""
    from webhook.cli.wiring.audit import answer  # noqa: PLC0415
    from webhook.cli.wiring.exposure import declared, of_cluster  # noqa: PLC0415

    where = options.kubeconfig(args), args.context
    report = await answer(asked, *where)
    if not outputs.wants_map(args):
        return report
    found = await of_cluster(declared(asked.rules), *where, args.namespace)
    if args.namespace:  # the matrix of the page has every pair, or it is none
        found = replace(found.only(args.namespace), pairs=found.pairs)
    return replace(report, exposure=found)


def _events(file: str, config: GateConfig) -> Report:
    """Raises OSError and NothingJudgedError."""
    rules, judged = ruleset(config), Judged("events", (name(file),))
    if file == "-":
        return replace(replay(sys.stdin.buffer, rules, file), judged=judged)
    with gzip.open(file) if file.endswith(".gz") else Path(file).open("rb") as lines:
        return replace(replay(lines, rules, file), judged=judged)


def _moment(text: str) -> float:
    """Unix time of a date, which begins in UTC, or of an RFC 3339 time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a date (2027-03-31) or a time (2027-03-31T12:00:00Z)"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
