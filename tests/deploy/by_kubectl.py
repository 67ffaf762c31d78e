"""Installing and uninstalling with kubectl alone, as docs/install.md says."""

from __future__ import annotations

from pathlib import Path

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.helm.build import CHART

INSTALL = CHART.parent / "install.yaml"


def stage_file(stage: str) -> Path:
    return CHART.parent / "stages" / stage / "stage.yaml"


def install(cluster: ControlPlane, stage: str) -> None:
    cluster.kubectl("apply", "-f", INSTALL, "-f", stage_file(stage))


def uninstall(cluster: ControlPlane, stage: str) -> None:
    """Until the namespace has ended; there is no kubelet to end its pods. Twice is once."""
    files = ("-f", INSTALL, "-f", stage_file(stage))
    cluster.kubectl("delete", "--ignore-not-found", *files, "--wait=false")
    for pod in cluster.kubectl("get", "pods", "-n", "netreeve", "-o", "name").stdout.split():
        cluster.kubectl("delete", pod, "-n", "netreeve", "--force", "--grace-period=0", check=False)
    gone = ("get", "namespace", "netreeve", "--ignore-not-found", "-o", "name")
    wait_for(lambda: not cluster.kubectl(*gone).stdout, 60, "the namespace to go")
