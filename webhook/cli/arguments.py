"""argparse that suggests what a misspelt command, value or option was probably meant to be."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from webhook.config.convert import suggestion


class Parser(argparse.ArgumentParser):
    """The parser of the program and, as argparse makes them alike, of its subcommands.

    Whole options only: a shortened one would change its meaning when another is added.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse, but ends at an option that is not known, where the known ones are."""
        found, unknown = super().parse_known_args(args, namespace)
        for word in unknown:
            name = word.partition("=")[0]
            close = suggestion(name, self._option_string_actions) if name[:1] == "-" else ""
            self.error(f"{word} is no known argument{close}")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            close = suggestion(str(value), map(str, action.choices))
            raise argparse.ArgumentError(action, f"{value!r} is not known{close}")
