"""The cluster as `netreeve baseline` finds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.baseline.given import DNS, SHOP, Run, forget_lease, lead
from tests.controlplane.cluster import ControlPlane
from webhook.cli import main


@pytest.fixture
def dns(control_plane: ControlPlane) -> Iterator[None]:
    """A CoreDNS-like Service with endpoints that tell its port."""
    control_plane.kubectl("apply", "-f", "-", stdin=DNS)
    yield
    control_plane.kubectl("delete", "-f", "-", stdin=DNS)


@pytest.fixture(autouse=True)
def leading(control_plane: ControlPlane) -> Iterator[None]:
    """Somebody leads; the gates of other tests must not wait for him."""
    lead(control_plane)
    yield
    forget_lease(control_plane)


@pytest.fixture
def shop(control_plane: ControlPlane, namespace: str, dns: None) -> Iterator[str]:
    """A shop with an ingress controller in front, and a report that reads from it."""
    control_plane.kubectl("apply", "-f", "-", stdin=SHOP.replace("SHOP", namespace))
    balancer = {"loadBalancer": {"ingress": [{"hostname": f"{namespace}.example.com"}]}}
    for kind, name, home in (
        ("service", "controller", f"{namespace}-edge"),
        ("ingress", "web", namespace),
    ):
        control_plane.kubectl(
            "patch", kind, name, "-n", home, "--subresource=status", "--type=merge",
            "-p", json.dumps({"status": balancer}),
        )  # fmt: skip
    yield namespace
    for suffix in ("edge", "reports"):
        control_plane.kubectl("delete", "namespace", f"{namespace}-{suffix}", "--wait=false")


@pytest.fixture
def run(control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command as an administrator, or as the user of another kubeconfig."""

    def asked(*args: str, kubeconfig: Path | None = None) -> tuple[int, str, str]:
        capsys.readouterr()
        file = str(kubeconfig or control_plane.kubeconfig)
        code = main(["baseline", *args, "--kubeconfig", file])
        return code, *capsys.readouterr()

    return asked
