"""Lays out the file system of the image: one interpreter, the packages, and no tool besides.

    python rootfs.py ROOT PACKAGES

Run in the build stage of the Dockerfile by the interpreter that the image gets. Everything is at
the place it had there; PACKAGES, a folder that `pip install --target` has filled, becomes /app.
There is no shell, no package manager and no compiler in ROOT; what is in it is compiled, since a
container cannot write.
"""

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

USER = 65532
UNUSED = {
    "site-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "lib2to3",
}
"""Of the standard library: tests, windows and installers."""
UNCOMPILED = re.compile(r"/kubernetes/(aio/)?client/(api|models)/")
"""2,000 modules, loaded one by one when asked for; nothing here asks for any."""
ELF = b"\x7fELF"


def main(root: Path, packages: Path) -> None:
    """Fill `root`, which must not exist yet."""
    root.mkdir(parents=True)
    interpreter = Path(sys.executable).resolve()
    _copy(interpreter, root)
    _copy_folder(Path(sysconfig.get_path("stdlib")), root, UNUSED)
    shutil.copytree(packages, root / "app", ignore=shutil.ignore_patterns("__pycache__", "bin"))
    for library in sorted(set(_libraries(root))):
        _copy(library, root)
    _link(root / "usr/bin/python3", interpreter)
    _identity(root)
    # Not compared with its source at every start, whose time an image may have changed.
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(
        root, quiet=1, rx=UNCOMPILED, stripdir=str(root), invalidation_mode=unchecked
    ):
        sys.exit("rootfs: a module cannot be compiled")


def _copy(path: Path, root: Path) -> None:
    """The content of a file, under the name by which it was asked for."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path.resolve(), target)


def _copy_folder(path: Path, root: Path, unused: set[str]) -> None:
    def ignore(folder: str, names: list[str]) -> set[str]:
        top = unused if Path(folder) == path else set()
        return {
            one for one in names if one in top or one == "__pycache__" or one.startswith("config-")
        }

    shutil.copytree(path, root / path.relative_to("/"), ignore=ignore)


def _libraries(root: Path) -> Iterator[Path]:
    """What the dynamic linker loads for any executable and extension module in `root`."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == ELF:
            command = ("ldd", path)
            said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            # Like `libm.so.6 => /lib/libm.so.6 (0x...)`, and the linker itself without an arrow.
            for name in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said, re.MULTILINE):
                if not Path(name).is_relative_to(root):
                    yield Path(name)


def _link(name: Path, target: Path) -> None:
    name.parent.mkdir(parents=True, exist_ok=True)
    if not name.exists():
        name.symlink_to(target)


def _identity(root: Path) -> None:
    """A user of its own, and a place for temporary files."""
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text(f"netreeve:x:{USER}:{USER}::/tmp:/none\n")
    (root / "etc/group").write_text(f"netreeve:x:{USER}:\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    (root / "tmp").mkdir()
    os.chmod(root / "tmp", 0o1777)


if __name__ == "__main__":
    main(*(Path(argument).absolute() for argument in sys.argv[1:3]))
