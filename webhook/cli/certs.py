"""``netreeve certs``: how the certificates of an installation stand, and asking for new ones."""

from __future__ import annotations

import argparse
import asyncio
import sys

from webhook.cli import options

_DESCRIPTION = """\
Looks at the Secrets and webhook configurations of an installation with your
own kubeconfig; no key is shown.

  show    which authorities are trusted and which one signs, when certificates
          are renewed and expire, and whether the configurations carry them
  rotate  ask the controller for a new certificate (or CA, or stamp key). It
          does so step by step, and no review fails meanwhile

rotate sets the annotation netreeve.io/rotate on a Secret, which goes when that
is done; show says how far it is."""

_EPILOG = """\
Needs get on secrets in the namespace and on both kinds of webhook
configuration; rotate needs patch on the Secret.

Exit codes:
  0  all is well, or the rotation was asked for
  1  something expires, is late, or is not carried
  2  usage, or something that could not be read or asked for

Examples:
  netreeve certs show
  netreeve certs show -o json | jq '.certificates[].expires'
  netreeve certs rotate
  netreeve certs rotate --ca"""

_NAMESPACE = "netreeve"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "certs",
        help="show the certificates of an installation, or have them replaced",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser(
        "show",
        help="how the certificates stand",
        description="How the certificates stand.",
    )
    options.add_output(show)
    _add_common(show, "show")
    text = "have the certificate of the servers, the CA or the stamp key replaced"
    rotate = actions.add_parser("rotate", help=text, description=f"{text[0].upper()}{text[1:]}.")
    what = rotate.add_mutually_exclusive_group()
    what.add_argument(
        "--ca", action="store_true", help="the CA, and with it the certificate of the servers"
    )
    what.add_argument(
        "--stamp-key",
        action="store_true",
        help="the key that stamps exemptions; the present one is still accepted afterwards, and "
        "the one before it is not",
    )
    _add_common(rotate, "rotate")


def _add_common(action: argparse.ArgumentParser, name: str) -> None:
    action.set_defaults(run=run, action=name)
    action.add_argument(
        "-n",
        "--namespace",
        default=_NAMESPACE,
        help="where Netreeve is installed (default: %(default)s)",
    )
    options.add_cluster(action)


def run(args: argparse.Namespace) -> int:
    # Loads the Kubernetes client, most of a second that no other command needs.
    from webhook.cli.wiring.certs import Asked, rotate, show  # noqa: PLC0415
    from webhook.cluster.errors import ClusterError  # noqa: PLC0415

    try:
        asked = Asked(args.namespace, options.kubeconfig(args), args.context)
        if args.action == "show":
            return asyncio.run(show(asked, args.output))
        return asyncio.run(rotate(asked, _what(args)))
    except (options.UsageError, ClusterError) as error:
        print(f"netreeve: {error}", file=sys.stderr)
        return 2


def _what(args: argparse.Namespace) -> str:
    if args.ca:
        return "CA"
    return "stamp key" if args.stamp_key else "certificate"
