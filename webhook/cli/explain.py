"""``netreeve explain``: what a policy checks, why, how to fix it and how to configure it.

Every sentence is the policy's own, here and in docs/policies.md, which this command writes.
"""

from __future__ import annotations

import argparse
import sys

from rich.text import Text

from policies import catalogue
from policies.model import Policy
from webhook.admission.verdict import MALFORMED
from webhook.audit.reports.terminal import PROSE, grid, show
from webhook.cli import pages
from webhook.config import GateConfig, ruleset
from webhook.config.convert import suggestion
from webhook.config.schema import PROFILES, Profile


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = subparsers.add_parser(
        "explain",
        help="list the policies, or say what one checks, why, and how to fix it",
        description=(
            "Without an ID, lists the policies and their actions in each profile. With one, says "
            "what the policy checks and why, how to fix an object that it denies, and which "
            f"parameters it has. The ID is in every denial; {MALFORMED} stands there for an "
            "object that could not be read at all."
        ),
    )
    command.add_argument("id", nargs="?", metavar="ID", help="of a policy, such as node-port")
    command.add_argument(
        "-o",
        "--output",
        choices=("text", "markdown"),
        default="text",
        help="text for people (the default), markdown for documentation",
    )
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    found = pages.pages()
    if args.id is not None and args.id not in found:
        print(f"netreeve: no policy {args.id!r}{suggestion(args.id, found)}", file=sys.stderr)
        return 2
    chosen = found if args.id is None else {args.id: found[args.id]}
    if args.output == "markdown":
        sys.stdout.write(pages.markdown(chosen.values(), title=args.id is None))
    elif args.id is None:
        _list(catalogue())
    else:
        show([pages.text(found[args.id])], sys.stdout, pipe=PROSE)
    return 0


def _list(policies: tuple[Policy[object, object], ...]) -> None:
    table = grid(5)
    table.add_row("POLICY", *(profile.upper() for profile in PROFILES), "WHAT MUST HOLD")
    for policy, *actions in zip(policies, *map(_actions, PROFILES), strict=True):
        table.add_row(Text(policy.id, style="bold"), *actions, policy.title)
    show([table, "", Text("More about one of them: netreeve explain POLICY")], sys.stdout)


def _actions(profile: Profile) -> list[str]:
    """The action of every policy in a profile where nothing else is configured."""
    return [step.setting.action.value for step in ruleset(GateConfig(profile=profile)).steps]
