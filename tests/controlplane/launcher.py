"""Become another program that does not outlive its parent: `launcher.py PARENT PROGRAM ARGS...`

Runs alone, with the standard library only. Outside Linux it only becomes the program: there an
interrupted run may leave servers behind.
"""

import ctypes
import os
import signal
import sys

# linux/prctl.h; kept across exec.
PR_SET_PDEATHSIG = 1


def main(parent: int, argv: list[str]) -> None:
    """Ask the kernel to end us with the parent, then run `argv` in our place."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before the kernel knew what we wanted of it.
    if os.getppid() != parent:
        sys.exit("the parent is gone")
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
