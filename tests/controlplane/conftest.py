"""Makes the fixtures of this room visible to its own tests."""

from tests.controlplane.fixtures import control_plane, namespace

__all__ = ["control_plane", "namespace"]
