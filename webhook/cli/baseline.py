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
  preview  show that, and which existing connections it would cut off
  adopt    preview, then put the namespace under the baseline, after asking
  remove   delete the NetworkPolicies that no baseline asks for any more, after
           showing what that opens, and asking; where the label names a
           baseline that is not configured any more, the label as well

adopt changes one label of the namespace, and the controller does the rest.
Only remove deletes anything; the gate asks for the right to exempt
policies.netreeve.io/baseline."""

_EPILOG = """\
Give --config the configuration that the cluster runs with: the answer is for
the configuration that is given, or for the default one.

Exit codes:
  0  all is well, the namespace was adopted, or nothing is left over any more
  1  something is to be done: a policy missing, changed or left over, no DNS,
     no controller, nothing that enforces, connections that would be cut off;
     or adopt or remove was refused
  2  usage, no such namespace, or something that could not be read

Examples:
  netreeve baseline show shop
  netreeve baseline preview shop --config gate.yaml
  netreeve baseline preview shop -o json | jq '.severed[].remedy'
  netreeve baseline adopt shop --config gate.yaml
  netreeve baseline remove shop --config gate.yaml"""

_NO_TERMINAL = (
    "{} asks before it changes anything, and there is no terminal to ask on: look at preview or "
    "show first, then give --yes"
)
_TEXTS = {
    "show": "show what is generated for a namespace, why, and whether it is there",
    "preview": "show that, and which existing connections of the namespace it would cut off",
    "adopt": "show both, ask, and put the namespace under its baseline",
    "remove": "delete the generated NetworkPolicies that no baseline asks for any more",
}
_DESCRIPTIONS = {
    "show": "Shows what is generated for a namespace, why, and whether it is there.",
    "preview": "Shows what is generated for a namespace, and which of its existing connections "
    "that would cut off. Changes nothing.",
    "adopt": "Shows what preview shows, asks, and puts the namespace under its baseline.",
    "remove": "Deletes the generated NetworkPolicies of a namespace that no baseline asks for any "
    "more, after showing what that opens, and asking.",
}
CHANGING = ("adopt", "remove")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "baseline",
        help="show, preview, adopt or remove the baseline of a namespace",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, text in _TEXTS.items():
        action = actions.add_parser(name, help=text, description=_DESCRIPTIONS[name])
        action.set_defaults(run=run, action=name, yes=False, baseline=None)
        _add_options(action)
        if name != "remove":
            _add_baseline(action)
        if name in CHANGING:
            action.add_argument(
                "-y", "--yes", action="store_true", help="do not ask, for use in scripts"
            )


def _add_options(action: argparse.ArgumentParser) -> None:
    action.add_argument("namespace", metavar="NAMESPACE", help="which namespace")
    action.add_argument(
        "--config",
        metavar="FILE",
        help="configuration of the gate (docs/configuration.md), of which the section baseline is "
        "read; without it, every baseline is a default-deny and DNS",
    )
    options.add_cluster(action)
    options.add_output(action)
    options.add_lease(action)


def _add_baseline(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--baseline",
        metavar="NAME",
        help="judge by this baseline instead of the one that the label or the configuration names",
    )


def run(args: argparse.Namespace) -> int:
    # Loads the Kubernetes client, most of a second that no other command needs.
    from webhook.cli.wiring.baseline import Asked, answer  # noqa: PLC0415
    from webhook.cluster.errors import ClusterError  # noqa: PLC0415

    try:
        config = _config(args)
        if args.action in CHANGING and not args.yes and not _is_terminal():
            raise options.UsageError(_NO_TERMINAL.format(args.action))
        asked = Asked(
            args.action,
            args.namespace,
            config,
            args.config is not None,
            args.baseline,
            args.lease,
            args.output,
            args.yes,
        )
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
