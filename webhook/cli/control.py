"""``netreeve control``: the controller that gives namespaces their baseline."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from webhook.cli.options import add_lease
from webhook.server.listen import Address, AddressError, parse

IN_CLUSTER = "in-cluster"

_DESCRIPTION = """\
Writes the NetworkPolicies of namespaces with the label netreeve.io/baseline,
DNS first and the default-deny last, lets the pods go that wait for them, and
restores them when they are changed or deleted. It deletes nothing.

Run two of them: one leads, by a Lease, and the other takes over within
seconds. Nobody has to be able to connect to it but the kubelet and
Prometheus: /livez, /readyz and /metrics.
"""

_EPILOG = """\
A changed configuration is taken up while running. SIGTERM hands the lead over.
The rights it needs are in the role of the Helm chart.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "control",
        help="write the baseline of namespaces",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    command.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="configuration of the gate (docs/configuration.md), of which the section baseline "
        "is read; without it, every baseline is a default-deny and DNS",
    )
    command.add_argument(
        "--kubeconfig",
        metavar="FILE",
        default=IN_CLUSTER,
        help="how to reach the cluster (default: %(default)s, by the service account of the pod)",
    )
    command.add_argument(
        "--health-listen",
        metavar="HOST:PORT",
        type=_address,
        default=":8080",
        help="where /livez, /readyz and /metrics are answered (default: :8080)",
    )
    add_lease(command)


def run(args: argparse.Namespace) -> int:
    # Loads the controller and the Kubernetes client, a second that no other command needs.
    from webhook.cli.wiring.control import Options, control  # noqa: PLC0415
    from webhook.server.assemble import StartError  # noqa: PLC0415

    options = Options(
        health_listen=args.health_listen,
        config=args.config,
        kubeconfig=None if args.kubeconfig == IN_CLUSTER else args.kubeconfig,
        lease=args.lease,
    )

    def announce(health: Address) -> None:
        host = "localhost" if health.host in ("::", "0.0.0.0") else health.host  # noqa: S104
        at = health._replace(host=host)
        print(f"Health and metrics at http://{at}/readyz and /metrics", flush=True)

    try:
        control(options, os.environ, announce)
    except StartError as error:
        print(f"netreeve: {error}", file=sys.stderr)
        return 2
    return 0


def _address(text: str) -> Address:
    try:
        return parse(text)
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
