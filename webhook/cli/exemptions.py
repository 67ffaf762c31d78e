"""``netreeve exemptions``: what is exempt in a cluster, by whom, until when, and whether still."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from webhook.cli import options
from webhook.config import ConfigError, ruleset

_DESCRIPTION = """\
Lists the exemptions of a cluster, the next to end first: of objects, of
namespaces and of the configuration, with who granted them and why, and what
they are still needed for. What controllers make of an exempt template is not
listed by itself.

Needs list on what the policies judge. Whether a stamp is valid can only be
told with the keys of the Secret that --stamp-secret names, and the right to
get it; without, exemptions are listed as not verified."""

_EPILOG = """\
--recheck asks the API server whether each grantor, with the groups of that
time, could still write the exemption (create subjectaccessreviews). If one
could not, the exemption still counts: to end it, remove the annotation.

Exit codes:
  0  listed
  2  usage, or something that could not be read; the rest of it is listed

Examples:
  netreeve exemptions
  netreeve exemptions -n shop --recheck
  netreeve exemptions --config gate.yaml -o json"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "exemptions",
        help="list what is exempt in a cluster, by whom and until when",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_scope(command)
    command.add_argument(
        "--recheck",
        action="store_true",
        help="ask whether those who granted them could still do so",
    )
    options.add_stamp_secret(command)
    options.add_output(command)
    options.add_cluster(command)
    options.add_config(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    # Loads the Kubernetes client, most of a second that no other command needs.
    from webhook.cli.wiring.exemptions import Asked, answer  # noqa: PLC0415
    from webhook.cluster.errors import ClusterError  # noqa: PLC0415

    try:
        config = options.config(args)
        asked = Asked(
            rules=ruleset(config),
            now=time.time(),
            namespace=args.namespace,
            controllers=config.baseline.controllers,
            secret=args.stamp_secret,
            recheck=args.recheck,
            output=args.output,
        )
        return asyncio.run(answer(asked, options.kubeconfig(args), args.context))
    except (options.UsageError, ClusterError) as error:
        print(f"netreeve: {error}", file=sys.stderr)
    except (ConfigError, OSError) as error:
        options.complain(error)
    return 2
