"""``netreeve control``: the baseline of namespaces, certificates and webhook configurations."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from webhook.cli.options import add_health, add_lease, add_service, reachable, seconds

if TYPE_CHECKING:
    from webhook.controller.certificates.loop import Settings
    from webhook.server.listen import Address

IN_CLUSTER = "in-cluster"
SOURCES = ("managed", "files", "cert-manager")

_DESCRIPTION = """\
Writes the NetworkPolicies of namespaces with the label netreeve.io/baseline,
DNS first and the default-deny last, lets the pods go that wait for them, and
restores them when they are changed or deleted. It deletes nothing.

With --webhooks it also issues and rotates the certificates of `netreeve serve`,
and fills the webhook configurations once a server has been seen to deny what
is known to be bad.

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
        help="write the baseline of namespaces, look after certificates",
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
    add_health(command)
    add_lease(command)
    _add_certificates(command)


def _add_certificates(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("certificates and webhook configurations")
    group.add_argument(
        "--webhooks",
        metavar="DIR",
        type=Path,
        help="directory with validating.yaml and mutating.yaml, the webhook configurations as they "
        "should be, without CA bundle. Those that exist in the cluster are filled and kept so; "
        "none is created. Without it, neither configurations nor certificates are looked after",
    )
    group.add_argument(
        "--cert-source",
        choices=SOURCES,
        default=SOURCES[0],
        help="managed: made and rotated here, in the Secrets netreeve-ca and netreeve-tls. files: "
        "yours, the CA bundle is in --ca-bundle. cert-manager: the Secret netreeve-tls and its "
        "ca.crt are written by a Certificate (default: %(default)s)",
    )
    group.add_argument(
        "--ca-bundle",
        metavar="FILE",
        type=Path,
        help="with --cert-source files: the CA bundle to publish, PEM",
    )
    group.add_argument(
        "--cert-overlap",
        metavar="SECONDS",
        type=seconds,
        default=60.0,
        help="how long the configurations must have carried a new CA before servers get a "
        "certificate of it; longer than API servers take to hear of a change (default: 60)",
    )
    add_service(group)


def run(args: argparse.Namespace) -> int:
    # Loads the controller and the Kubernetes client, a second that no other command needs.
    from webhook.cli.wiring.control import Options, control  # noqa: PLC0415
    from webhook.server.start import StartError  # noqa: PLC0415

    if (args.cert_source == "files") != (args.ca_bundle is not None):
        print("netreeve: --cert-source files and --ca-bundle belong together", file=sys.stderr)
        return 2
    options = Options(
        health_listen=args.health_listen,
        config=args.config,
        kubeconfig=None if args.kubeconfig == IN_CLUSTER else args.kubeconfig,
        lease=args.lease,
        certificates=_certificates(args),
    )

    def announce(health: Address) -> None:
        print(f"Health and metrics at http://{reachable(health)}/readyz and /metrics", flush=True)

    try:
        control(options, os.environ, announce)
    except StartError as error:
        print(f"netreeve: {error}", file=sys.stderr)
        return 2
    return 0


def _certificates(args: argparse.Namespace) -> Settings | None:
    from webhook.controller.certificates.loop import Settings  # noqa: PLC0415
    from webhook.controller.certificates.sources import Source  # noqa: PLC0415

    if args.webhooks is None:
        return None
    return Settings(
        webhooks=args.webhooks,
        service=args.service,
        source=Source(args.cert_source),
        bundle=args.ca_bundle,
        overlap=args.cert_overlap,
    )
