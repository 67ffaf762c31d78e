"""One control plane for the whole test session, whichever room asks for it."""

from tests.controlplane.fixtures import control_plane, namespace

__all__ = ["control_plane", "namespace"]
