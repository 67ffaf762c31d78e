"""One control plane for the whole test session, whichever folder asks for it."""

from hypothesis import settings

from tests.controlplane.fixtures import control_plane, namespace

__all__ = ["control_plane", "namespace"]

# A deadline would measure how busy the machine is.
settings.register_profile("netreeve", deadline=None)
settings.load_profile("netreeve")
