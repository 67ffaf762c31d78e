"""Users with exactly the rights that what they run says it needs."""

from collections.abc import Callable
from pathlib import Path

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

Grant = Callable[[str, str], None]
"""Gives a group, by name, the right to list and watch resources of the core group."""


def user_with(plane: ControlPlane, rights: str, user: str, group: str, *last: str) -> Path:
    """A kubeconfig. rights: manifests that give them to the group. last: verb and resource."""
    plane.kubectl("apply", "-f", "-", stdin=rights)
    await_right(plane, group, *last)
    return plane.kubeconfig_for(user, (group,))


def await_right(plane: ControlPlane, group: str, *right: str) -> None:
    """Until the API server knows that a group has it: verb and resource."""
    question = ("auth", "can-i", *right, "--as=anybody", f"--as-group={group}")
    wait_for(
        lambda: not plane.kubectl(*question, check=False).returncode,
        10,
        f"the right of {group} to {' '.join(right)}",
    )
