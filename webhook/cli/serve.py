"""``netreeve serve``: the admission webhook."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from webhook.cli.options import (
    add_health,
    add_lease,
    add_service,
    address,
    reachable,
    seconds,
)

if TYPE_CHECKING:
    from webhook.server.assemble import Options
    from webhook.server.listen import Address

CERT_DIR = Path("/etc/netreeve/tls")
DRAIN_SECONDS = 15.0
"""Longer than it takes until every API server has heard that an endpoint is gone."""
LINGER_SECONDS = 95.0
"""A little longer than an API server keeps a connection that it does not use."""

_DESCRIPTION = """\
Answers the API server's admission reviews over HTTPS: POST /validate and
POST /mutate. On the health port, over plain HTTP: /livez, /readyz, /metrics.
It is ready while it sees itself deny, over TLS as the API server would verify
it, what is known to be bad.

In a cluster it needs a certificate, and to list and watch namespaces, nodes
and networkpolicies, and the lease of its controller. To try it without any of
that:

  netreeve serve --standalone --listen 127.0.0.1:8443
"""

_EPILOG = """\
Spans are sent to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, if it
is set. A changed certificate or configuration is taken up while running;
SIGTERM drains.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "serve",
        help="answer admission reviews over HTTPS",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    _add_addresses(command)
    _add_files(command)
    _add_end(command)
    add_lease(command)
    add_service(command)
    _add_cluster(command)


def _add_addresses(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=address,
        default=":8443",
        help="where reviews are answered (default: :8443, on IPv4 and IPv6). Control planes of "
        "private GKE clusters reach nodes on 443 and 10250 only: use :10250 there",
    )
    add_health(command)


def _add_files(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--cert-dir",
        metavar="DIR",
        type=Path,
        help="directory with tls.crt, tls.key and, in ca.crt, the CA bundle that clients trust, as "
        f"mounted from a Secret (default: {CERT_DIR}; with --standalone, a temporary one). Without "
        "them it is not ready and waits",
    )
    command.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="configuration of the gate (docs/configuration.md); without it, the standard profile",
    )
    command.add_argument(
        "--stamp-keys",
        metavar="DIR",
        type=Path,
        help="directory with the file current, and previous during a rotation: keys of at least "
        "32 random bytes for the stamps of exemptions (docs/exemptions.md); without it, nothing "
        "is exempt by annotation",
    )


def _add_end(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--drain",
        metavar="SECONDS",
        type=seconds,
        default=DRAIN_SECONDS,
        help="how long to go on serving after SIGTERM, so that the API server finds another "
        f"replica first (default: {DRAIN_SECONDS:g})",
    )
    command.add_argument(
        "--linger",
        metavar="SECONDS",
        type=seconds,
        default=LINGER_SECONDS,
        help="how long, after that, to leave open the connections on which an API server may be "
        f"sending; ends when it has closed them (default: {LINGER_SECONDS:g})",
    )


def _add_cluster(command: argparse.ArgumentParser) -> None:
    cluster = command.add_mutually_exclusive_group()
    cluster.add_argument(
        "--kubeconfig",
        metavar="FILE",
        help="how to reach the cluster; without it, by the service account of the pod",
    )
    cluster.add_argument(
        "--standalone",
        action="store_true",
        help="needs no cluster: make a throw-away CA and certificate (ca.crt, tls.crt and tls.key "
        "in --cert-dir), and know no namespace labels and no nodes",
    )


def run(args: argparse.Namespace) -> int:
    # Loads the server, 0.4 s, which no other command needs.
    from webhook.server.assemble import serve  # noqa: PLC0415
    from webhook.server.start import StartError  # noqa: PLC0415

    with _options(args) as options:

        def announce(reviews: Address, health: Address) -> None:
            print(_announcement(options, reviews, health), flush=True)

        try:
            serve(options, os.environ, announce)
        except StartError as error:
            print(f"netreeve: {error}", file=sys.stderr)
            return 2
    return 0


@contextlib.contextmanager
def _options(args: argparse.Namespace) -> Iterator[Options]:
    from webhook.server.assemble import Options  # noqa: PLC0415

    with contextlib.ExitStack() as stack:
        directory = args.cert_dir or CERT_DIR
        if args.standalone and not args.cert_dir:
            scratch = tempfile.TemporaryDirectory(prefix="netreeve-")
            directory = Path(stack.enter_context(scratch))
        yield Options(
            listen=args.listen,
            health_listen=args.health_listen,
            cert_dir=directory,
            config=args.config,
            standalone=args.standalone,
            kubeconfig=args.kubeconfig,
            lease=args.lease,
            service=args.service,
            drain=args.drain,
            linger=args.linger,
            stamp_keys=args.stamp_keys,
        )


def _announcement(options: Options, reviews: Address, health: Address) -> str:
    url = f"https://{reachable(reviews)}"
    text = f"""\
        Reviews are answered at {url}/validate and {url}/mutate
        Health and metrics at http://{reachable(health)}/readyz and /metrics"""
    if options.standalone:
        text += f"""
        The throw-away CA is {options.cert_dir}/ca.crt. A review to try, which is denied:

          curl --cacert {options.cert_dir}/ca.crt -H 'Content-Type: application/json' \\
            {url}/validate -d '{_SAMPLE}'
"""
    return textwrap.dedent(text)


_SAMPLE = (
    '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1",'
    '"operation":"CREATE","resource":{"group":"","version":"v1","resource":"pods"},'
    '"namespace":"default","object":{"spec":{"hostNetwork":true}}}}'
)
