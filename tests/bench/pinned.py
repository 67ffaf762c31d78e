"""Become another program on one core: `pinned.py CORE PROGRAM ARGS...`

As a program it runs alone, with the standard library only. Where an operating system cannot pin,
as macOS, it only becomes the other program.
"""

import os
import sys


def pinned(core: int, command: list[str]) -> list[str]:
    """The command that runs another one, by the path of its program, on one core."""
    return [sys.executable, "-I", "-S", __file__, str(core), *command]


def cores() -> list[int]:
    """The cores that this process may use; none where it cannot be told."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def main(core: int, command: list[str]) -> None:
    """Run `command` in our place, on `core`."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
