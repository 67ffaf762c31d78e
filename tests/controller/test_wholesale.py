"""Many namespaces at once. Comes last: to delete them takes the controller manager minutes."""

import pytest

from tests.controller.adoption import adopt
from tests.controller.control import Control
from tests.controller.protected import GENERATED, Protected, scaled

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

ADOPTED = scaled(100, 2_000)
RESIDENT = 200 * 1024 * 1024
"""Bytes; Python, the client library and telemetry alone take half of it."""


def test_many_namespaces_are_adopted_at_once(protected: Protected, controller: Control) -> None:
    controller.stop()
    found = adopt(protected, controller, ADOPTED, idle=5)
    print("", *found.lines(), sep="\n")
    assert found.writes["create", "networkpolicies"] == len(GENERATED) * ADOPTED
    assert found.writes["patch", "networkpolicies"] == 0
    assert found.writes["patch", "namespaces"] == ADOPTED
    assert found.peak < RESIDENT
    assert set(found.steady) <= {"watch"}
    assert controller.metrics()['netreeve_namespaces{state="failing"}'] == 0
