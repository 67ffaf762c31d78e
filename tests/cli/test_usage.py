"""Help that fits a terminal, and errors that say what was probably meant."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from webhook.cli import main, parser

COLUMNS = 80
ROOT = Path(__file__).parents[2]


def commands(of: argparse.ArgumentParser, *words: str) -> Iterator[tuple[str, ...]]:
    """``()``, ``("check",)``, ``("baseline", "show")`` ... of the parser and those inside."""
    yield words
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from commands(inner, *words, name)


@pytest.mark.parametrize("words", list(commands(parser())), ids=" ".join)
def test_the_help_fits_a_terminal(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    assert main([*words, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > COLUMNS] == []
    assert len(lines) > 3


def test_the_help_of_make_fits_a_terminal() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "make check" in done.stdout
    assert [line for line in done.stdout.splitlines() if len(line) > COLUMNS] == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("chek", "argument COMMAND: 'chek' is not known; did you mean check?"),
        ("Check -", "argument COMMAND: 'Check' is not known; did you mean check?"),
        ("frobnicate", "'frobnicate' is not known; known are "),
        ("baseline adpt", "argument ACTION: 'adpt' is not known; did you mean adopt?"),
        ("check --profle strict x", "--profle is no known argument; did you mean --profile?"),
        ("check --profle=strict x", "--profle=strict is no known argument; did you mean --profile"),
        ("check --prof strict x", "--prof is no known argument"),
        (
            "check --profile strct x",
            "argument --profile: 'strct' is not known; did you mean strict",
        ),
        ("serve --kubconfig x", "did you mean --kubeconfig?"),
        ("version x", "x is no known argument"),
    ],
)
def test_what_is_misspelt_is_named_with_what_was_meant(
    typed: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed.split()) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
