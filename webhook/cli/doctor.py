"""``netreeve doctor``: what is wrong with the gate in a live cluster, and what could lock it up."""

from __future__ import annotations

import argparse
import asyncio
import sys

from webhook.cli import options
from webhook.version import installed

_DESCRIPTION = """\
Looks at the live cluster with your own kubeconfig and says what is wrong, why
it matters and what to do: requests that a cluster needs to come back and that
would wait for a webhook, certificates, endpoints, rules, rights, DNS, clocks
and more. Works before Netreeve is installed, too: then it says whether it
could be.

Changes nothing. One Deployment that must be denied is sent as a dry run."""

_EPILOG = """\
Exit codes:
  0  nothing is wrong
  1  there are errors, or warnings with --fail-on warning
  2  usage, no API server, or something that could not be read: the rest is
     checked and reported

Examples:
  netreeve doctor
  netreeve doctor --all
  netreeve doctor -o json | jq '.findings[] | select(.severity == "error")'"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "doctor",
        help="say what is wrong with the gate in a cluster, or with its other webhooks",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_cluster(command)
    command.add_argument(
        "--all",
        action="store_true",
        help="judge the webhooks of others as well",
    )
    command.add_argument(
        "-n",
        "--namespace",
        default="netreeve",
        help="where Netreeve is installed (default: %(default)s)",
    )
    options.add_output(command)
    command.add_argument(
        "--fail-on",
        choices=("error", "warning"),
        default="error",
        help="the least severity that ends with exit code 1 (default: %(default)s)",
    )
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    # Loads the Kubernetes client, most of a second that no other command needs.
    from webhook.cli.wiring.doctor import examined  # noqa: PLC0415
    from webhook.cluster.errors import ClusterError  # noqa: PLC0415
    from webhook.doctor import json, table  # noqa: PLC0415
    from webhook.doctor.finding import Severity  # noqa: PLC0415
    from webhook.doctor.reading import Asked  # noqa: PLC0415

    try:
        kubeconfig = options.kubeconfig(args)
        asked = Asked(args.namespace, args.all, installed())
        found = asyncio.run(examined(kubeconfig, args.context, asked))
    except (options.UsageError, ClusterError) as error:
        print(f"netreeve: {error}", file=sys.stderr)
        return 2
    {"table": table.write, "json": json.write}[args.output](found, sys.stdout)
    return found.exit_code(Severity(args.fail_on))
