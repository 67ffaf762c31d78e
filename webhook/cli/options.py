"""Options and errors that several subcommands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from webhook.config import ConfigError, GateConfig, load
from webhook.config.schema import PROFILES
from webhook.server.listen import Address, AddressError, parse


def add_config(command: argparse.ArgumentParser) -> None:
    """``--config`` and ``--profile``."""
    command.add_argument(
        "--config",
        metavar="FILE",
        help="configuration of the gate (docs/configuration.md); without it, the standard profile",
    )
    command.add_argument(
        "--profile", choices=PROFILES, help="use this profile instead of the configured one"
    )


def config(args: argparse.Namespace) -> GateConfig:
    """The configuration that the options ask for. Raises ConfigError or OSError."""
    found = load(Path(args.config).read_bytes(), args.config) if args.config else GateConfig()
    return msgspec.structs.replace(found, profile=args.profile) if args.profile else found


def say_what_helps(resources: Iterable[str]) -> None:
    """Says on standard error, once, what would allow a command to read these resources."""
    if names := ",".join(sorted({*resources})):
        create = f"kubectl create clusterrole netreeve-reader --verb=get,list --resource={names}"
        print(f"netreeve: what is missing, this role would allow: {create}", file=sys.stderr)


def complain(error: ConfigError | OSError) -> None:
    """Says on standard error what is wrong, every problem on a line of its own."""
    if isinstance(error, OSError):
        print(f"netreeve: {error.filename}: {error.strerror}", file=sys.stderr)
    else:
        print(error, file=sys.stderr)


class UsageError(Exception):
    """What was asked for cannot be."""


def add_scope(command: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    """``-A`` and ``-n``; the group, for what excludes both."""
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "-A", "--all-namespaces", action="store_true", help="the whole cluster (the default)"
    )
    where.add_argument("-n", "--namespace", default="", help="only this namespace")
    return where


def add_cluster(command: argparse.ArgumentParser) -> None:
    """``--kubeconfig`` and ``--context``."""
    command.add_argument(
        "--kubeconfig",
        metavar="FILE",
        help="how to reach the cluster (default: KUBECONFIG, ~/.kube/config, or the service "
        "account of the pod)",
    )
    command.add_argument(
        "--context",
        metavar="NAME",
        default="",
        help="context of the kubeconfig (default: its current one)",
    )


def kubeconfig(args: argparse.Namespace) -> str | None:
    """As kubectl finds it; None for the service account of the pod that this runs in.

    Raises UsageError.
    """
    if args.kubeconfig:
        return str(args.kubeconfig)
    named = [one for one in os.environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    if len(named) > 1:
        raise UsageError("KUBECONFIG names several files: choose one with --kubeconfig")
    default = Path.home() / ".kube" / "config"
    if not named and not default.is_file() and "KUBERNETES_SERVICE_HOST" in os.environ:
        return None
    return named[0] if named else str(default)


def add_output(command: argparse.ArgumentParser) -> None:
    """``-o``: for commands with one table."""
    command.add_argument(
        "-o",
        "--output",
        choices=("table", "json"),
        default="table",
        help="table for people (the default), json for programs",
    )


def add_health(command: argparse.ArgumentParser) -> None:
    """``--health-listen``."""
    command.add_argument(
        "--health-listen",
        metavar="HOST:PORT",
        type=address,
        default=":8080",
        help="where /livez, /readyz and /metrics are answered (default: :8080)",
    )


def address(text: str) -> Address:
    """HOST:PORT, for argparse."""
    try:
        return parse(text)
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def reachable(of: Address) -> Address:
    """What a client on this machine can ask for."""
    return of._replace(host="localhost") if of.host in ("::", "0.0.0.0") else of  # noqa: S104


def add_lease(command: argparse.ArgumentParser) -> None:
    """``--lease``: where the processes of Netreeve find each other."""
    command.add_argument(
        "--lease",
        metavar="NAMESPACE/NAME",
        type=namespaced,
        default="netreeve/netreeve-control",
        help="the Lease by which one `netreeve control` leads (default: %(default)s); while it "
        "does not exist, namespaces get no baseline and no pod waits for one",
    )


def add_service(command: argparse._ActionsContainer) -> None:
    """``--service``: how the API server reaches the servers, and so by which name."""
    command.add_argument(
        "--service",
        metavar="NAMESPACE/NAME",
        type=namespaced,
        default="netreeve/netreeve-serve",
        help="the Service by which API servers reach `netreeve serve`, and whose name its "
        "certificate must have (default: %(default)s)",
    )


def add_stamp_secret(command: argparse.ArgumentParser) -> None:
    """``--stamp-secret``: where the keys of exemption stamps are, for those who may read them."""
    command.add_argument(
        "--stamp-secret",
        metavar="NAMESPACE/NAME",
        type=namespaced,
        default="netreeve/netreeve-stamp",
        help="the Secret with the keys of exemption stamps (default: %(default)s); where it may "
        "not be read, exemptions are shown as claimed",
    )


def namespaced(text: str) -> tuple[str, str]:
    """The type of an option ``NAMESPACE/NAME``."""
    namespace, separator, name = text.partition("/")
    if not separator or not namespace or not name or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} must be NAMESPACE/NAME")
    return namespace, name


def seconds(text: str) -> float:
    """A number of seconds, for argparse."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 3600:  # NaN is refused here as well
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of seconds, 0 to 3600")
    return found
