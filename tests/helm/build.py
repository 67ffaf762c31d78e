"""Helm: found in the cache, or built once from the module that go.mod pins (`make control-plane`).

Building takes about 1.5 minutes on two cores and leaves 67 MB in the cache.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.controlplane import gomodule

HERE = Path(__file__).parent
CHART = HERE.parents[1] / "deploy" / "chart"
PACKAGE = "helm.sh/helm/v4"
TIMEOUT = 120.0


def version() -> str:
    """Like ``v4.3.1``, as go.mod pins it."""
    (found,) = re.findall(rf"\b{re.escape(PACKAGE)} (v\S+)", (HERE / "go.mod").read_text())
    return str(found)


def helm() -> Path:
    """The executable. Raises ToolchainError or BuildError."""
    stamp = f"-s -w -X {PACKAGE}/internal/version.version={version()}"
    package = f"{PACKAGE}/cmd/helm"
    flags = ("-ldflags", stamp)
    return gomodule.program(HERE, name="helm", folder="helm", package=package, flags=flags)


def run(
    *arguments: str | Path, stdin: str = "", home: Path, kubeconfig: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Helm with a home of its own and nothing of our environment but PATH; never raises.

    Without a kubeconfig no cluster is reached.
    """
    environment: Mapping[str, str] = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "KUBECONFIG": str(kubeconfig or home / "no-kubeconfig"),
    }
    return subprocess.run(
        [helm(), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        env=environment,
    )


def output(*arguments: str | Path, home: Path, kubeconfig: Path) -> str:
    """What Helm prints; it must succeed."""
    done = run(*arguments, home=home, kubeconfig=kubeconfig)
    assert done.returncode == 0, done.stderr
    return done.stdout


if __name__ == "__main__":
    print(f"helm\t{helm()}")
