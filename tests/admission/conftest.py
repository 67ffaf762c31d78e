"""What the tests of exemptions share."""

from __future__ import annotations

import pytest

from tests.admission.exempting import ANNA
from tests.exemptions.world import World


@pytest.fixture
def world() -> World:
    found = World()
    found.rights = {(ANNA, policy, "dev") for policy in ("host-network", "host-port", "node-port")}
    return found
