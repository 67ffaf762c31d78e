"""A Dockerfile as far as ours goes: stages, and their instructions in order."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Instruction(NamedTuple):
    """Like ``RUN`` and the rest of its line, continuations joined."""

    word: str
    rest: str


class Stage(NamedTuple):
    """base: as FROM names it. name: "" for the last one."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def all(self, word: str) -> list[str]:
        return [one.rest for one in self.instructions if one.word == word]

    def only(self, word: str) -> str:
        (found,) = self.all(word)
        return found

    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for rest in self.all("ENV") for pair in rest.split())

    def command(self, word: str) -> list[str]:
        """Of ENTRYPOINT or CMD, which must not need a shell."""
        found: list[str] = json.loads(self.only(word))
        return found


def read(path: Path = ROOT / "Dockerfile") -> list[Stage]:
    """Its stages; what stands before the first one is left out."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name, ()))
        elif stages:
            last = stages[-1]
            added = Instruction(word, re.sub(r"\s+", " ", rest))
            stages[-1] = last._replace(instructions=(*last.instructions, added))
    return stages
