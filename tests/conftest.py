"""One control plane for the whole test session, whichever folder asks for it."""

from hypothesis import HealthCheck, settings

from tests.controlplane.fixtures import control_plane, namespace

__all__ = ["control_plane", "namespace"]

# A deadline would measure how busy the machine is, and so does the time that examples take to draw.
settings.register_profile("netreeve", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("netreeve")
