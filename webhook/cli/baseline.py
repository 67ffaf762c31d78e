"""``netreeve baseline``: what a namespace's baseline is, would end, and putting one under it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from webhook.cli import options
from webhook.config import ConfigError

if TYPE_CHECKING:
    from policies.baseline.config import BaselineConfig

_DESCRIPTION = """\
Looks at the live cluster with your own kubeconfig and says how a namespace
stands to its baseline: the NetworkPolicies that deny everything but DNS and
what the configuration allows.

  show     what is generated, from which facts, whether it is there, and who
           enforces it
  preview  the same, and which existing connections it would cut off
  adopt    preview, then put the namespace under the baseline, after asking

Only adopt changes anything: one label of the namespace. The controller does
the rest."""

_EPILOG = """\
Give --config the configuration that the cluster runs with, or the answer is
for another one.

Exit codes:
  0  all is well, or the namespace was adopted
  1  something is to be done: a policy missing or changed, no DNS, nothing that
     enforces, connections that would be cut off; or adopt was refused
  2  usage, no such namespace, or something that could not be read

Examples:
  netreeve baseline show shop
  netreeve baseline preview shop --config gate.yaml
  netreeve baseline preview shop -o json | jq '.severed[].remedy'
  netreeve baseline adopt shop --config gate.yaml"""

_NO_TERMINAL = (
    "adopt asks before it changes anything, and here is no terminal: look at preview, then give "
    "--yes"
)
_TEXTS = {
    "show": "what is generated for a namespace, why, and whether it is there",
    "preview": "show, and which existing connections a default-deny would cut off",
    "adopt": "preview, then put the namespace under its baseline",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "baseline",
        help="show, preview or adopt the baseline of a namespace",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, text in _TEXTS.items():
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        action.set_defaults(run=run, action=name, yes=False)
        _add_options(action)
        if name == "adopt":
            action.add_argument(
                "-y", "--yes", action="store_true", help="do not ask, for use in scripts"
            )


def _add_options(action: argparse.ArgumentParser) -> None:
    action.add_argument("namespace", metavar="NAMESPACE")
    action.add_argument(
        "--config",
        metavar="FILE",
        help="configuration of the gate (docs/configuration.md), of which the section baseline is "
        "read; without it, every baseline is a default-deny and DNS",
    )
    action.add_argument(
        "--baseline",
        metavar="NAME",
        help="judge by this baseline instead of the one that the label or the configuration names",
    )
    options.add_cluster(action)
    action.add_argument(
        "-o",
        "--output",
        choices=("table", "json"),
        default="table",
        help="table for people (the default), json for programs",
    )


def run(args: argparse.Namespace) -> int:
    # Loads the Kubernetes client, most of a second that no other command needs.
    from webhook.cli.wiring.baseline import Asked, answer  # noqa: PLC0415
    from webhook.cluster.errors import ClusterError  # noqa: PLC0415

    try:
        config = _config(args)
        if args.action == "adopt" and not args.yes and not _is_terminal():
            raise options.UsageError(_NO_TERMINAL)
        asked = Asked(args.action, args.namespace, config, args.baseline, args.output, args.yes)
        return asyncio.run(answer(asked, options.kubeconfig(args), args.context))
    except (options.UsageError, ClusterError) as error:
        print(f"netreeve: {error}", file=sys.stderr)
    except (ConfigError, OSError) as error:
        options.complain(error)
    return 2


def _config(args: argparse.Namespace) -> BaselineConfig:
    args.profile = None
    config = options.config(args).baseline
    if args.baseline is not None and config.baseline(args.baseline) is None:
        known = ", ".join(sorted({"default-deny", *config.baselines}))
        raise options.UsageError(f"no baseline is named {args.baseline!r}; known are {known}")
    return config


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
