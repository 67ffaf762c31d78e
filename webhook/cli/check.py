"""``netreeve check``: judges manifests with the same gate that judges admission requests."""

from __future__ import annotations

import argparse
import sys
import time

from msgspec.structs import replace

from webhook.admission.ruleset import Ruleset
from webhook.audit.check import check
from webhook.audit.findings import Report
from webhook.audit.judged import Judged
from webhook.audit.manifests import name
from webhook.audit.sources import Sources
from webhook.cli import fixing, options, outputs
from webhook.config import ConfigError, ruleset
from webhook.exemptions.standing import Trust

_DESCRIPTION = """\
Judges manifests as the gate would judge them when they are created in a
cluster, and needs no cluster for it. Reads files, folders (recursively, what
ends in .yaml, .yml or .json) and standard input (-), several documents in a
file, and Lists.

Namespaces among the manifests tell the labels that overrides of the
configuration select by. Of other namespaces only the name is known, and the
strictest of the settings that may hold does."""

_EPILOG = """\
Exit codes:
  0  nothing is denied; there may be warnings (see --fail-on, --baseline)
  1  something is denied
  2  usage, or input that could not be read; the rest of it is judged

Examples:
  netreeve check deploy/
  netreeve check -o table -o sarif=netreeve.sarif deploy/
  helm template shop ./chart | netreeve check -n shop -
  netreeve check --profile strict -o github manifests/
  netreeve check --fix --dry-run deploy/"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "check",
        help="judge manifests in files, folders or standard input",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "paths", nargs="+", metavar="PATH", help="a file, a folder, or - for standard input"
    )
    command.add_argument(
        "-n",
        "--namespace",
        default="default",
        help="namespace of objects that name none (default: %(default)s)",
    )
    command.add_argument(
        "--skip-others",
        action="store_true",
        help="count documents of named files that are not Kubernetes objects instead of reporting "
        "them as unreadable; in folders this is always so",
    )
    command.add_argument(
        "--trust-exemptions",
        action="store_true",
        help="count exemptions that annotations claim; without it, they are shown and what they "
        "name is denied, because only a cluster knows who may grant them",
    )
    options.add_config(command)
    outputs.add_outputs(command)
    fixing.add_fix(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    try:
        fixing.ask_nothing_impossible(args)
        config, before = options.config(args), outputs.earlier(args)
        rules = ruleset(config)
    except (ConfigError, OSError) as error:
        options.complain(error)
        return 2
    except (outputs.NoReportError, fixing.FixError) as error:
        print(f"netreeve: {error}", file=sys.stderr)
        return 2
    now = time.time()
    report = _checked(args, rules, now)
    try:
        if args.fix and fixing.fix(report, args):
            report = _checked(args, rules, now)
    except OSError as error:
        options.complain(error)
        return 2
    return outputs.finish(outputs.signed(report, args, config, now), args, before)


def _checked(args: argparse.Namespace, rules: Ruleset, now: float) -> Report:
    stdin = sys.stdin.buffer if sys.stdin else None  # none at all where it was closed
    with Sources(args.paths, stdin, lenient=args.skip_others) as sources:
        trust = Trust.ACCEPT if args.trust_exemptions else Trust.SHOW
        report = check(sources, rules, args.namespace, now=now, trust=trust, ndots=args.ndots)
        report = replace(report, judged=Judged(paths=tuple(map(name, args.paths))))
        if outputs.wants_map(args):
            # Loads the Kubernetes client, most of a second that the other formats do not need.
            from webhook.cli.wiring.exposure import declared, of_sources  # noqa: PLC0415

            found = of_sources(sources, declared(rules), args.namespace)
            report = replace(report, exposure=found)
        return report
