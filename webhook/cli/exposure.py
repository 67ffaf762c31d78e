"""``netreeve exposure``: what is reachable from outside and how, and who may talk to whom."""

from __future__ import annotations

import argparse
import asyncio
import sys

from webhook.audit.exposure import json, table
from webhook.audit.exposure.model import ExposureMap
from webhook.audit.sources import Sources
from webhook.cli import options
from webhook.config import ConfigError, ruleset

_DESCRIPTION = """\
Draws the map of what is exposed: load balancers, node ports, external IPs,
host ports, pods on the node's network, Ingresses, Gateways and routes, the
workloads behind each, and whether NetworkPolicies let outside traffic through
to them. Then, for every two namespaces, who may talk to whom by the union of
all NetworkPolicies.

Reads a running cluster with your own kubeconfig, or the manifests at PATH,
and changes nothing. With -o html, check and audit show the same map beside
their findings."""

_EPILOG = """\
Needs list on pods, workloads, Services, EndpointSlices, Ingresses,
NetworkPolicies, namespaces and nodes; what you may not read is named. With
rights in one namespace, -n shows its part of the map, and nothing is known of
the others and of the nodes: that is said, and the exit code is 2.

Exit codes:
  0  the map is complete
  2  usage, or something that could not be read; the rest of it is shown

Examples:
  netreeve exposure
  netreeve exposure -n shop
  netreeve exposure -o json | jq '.ways[] | select(.reach == "public")'
  helm template shop ./chart | netreeve exposure -"""

FORMATS = {"table": table.write, "json": json.write}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "exposure",
        help="map what is reachable from outside, and who may talk to whom",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a file or folder of manifests, or - for standard input, instead of a cluster",
    )
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "-A", "--all-namespaces", action="store_true", help="the whole cluster (the default)"
    )
    where.add_argument(
        "-n",
        "--namespace",
        default="",
        help="only what concerns this namespace; of manifests, also that of objects without one",
    )
    options.add_cluster(command)
    options.add_config(command)
    options.add_output(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from webhook.cluster.errors import ClusterError  # noqa: PLC0415

    try:
        found = _found(args)
    except (options.UsageError, ClusterError) as error:
        print(f"netreeve: {error}", file=sys.stderr)
        return 2
    except (ConfigError, OSError) as error:
        options.complain(error)
        return 2
    if not args.paths:
        options.say_what_helps(one.path for one in found.unread)
    FORMATS[args.output](found.only(args.namespace) if args.namespace else found, sys.stdout)
    return 2 if found.unread else 0


def _found(args: argparse.Namespace) -> ExposureMap:
    """Raises UsageError, ClusterError, ConfigError and OSError."""
    # Loads the Kubernetes client, most of a second that no other command needs.
    from webhook.cli.wiring.exposure import declared, of_cluster, of_sources  # noqa: PLC0415

    told = declared(ruleset(options.config(args)))
    if not args.paths:
        source = options.kubeconfig(args), args.context
        return asyncio.run(of_cluster(told, *source, args.namespace))
    stdin = sys.stdin.buffer if sys.stdin else None  # none at all where it was closed
    with Sources(args.paths, stdin, lenient=True) as sources:
        return of_sources(sources, told, args.namespace or "default")
