"""No pod is ever bound before the policies of its namespace are there, whatever fails meanwhile."""

import time

import pytest

from tests.controller.control import Control
from tests.controller.protected import SOON, Order, Protected, fresh, scaled
from tests.controlplane.wait import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

MANY = scaled(12, 200)
HELD_BACK = 2.0
BOUND = 60.0 + MANY
"""Seconds, also for a lease to expire and for the scheduler."""


def test_pods_wait_for_a_controller_that_is_late(protected: Protected, controller: Control) -> None:
    names, start = fresh(MANY, "late"), protected.plane.audit_position()
    with controller.frozen():
        until = time.monotonic() + HELD_BACK
        protected.create_all(names)
        wait_for(lambda: time.monotonic() > until, HELD_BACK + 1, "the controller to be late")
        assert not any(protected.pods(names).values())
        assert protected.policies(names[0]) == {}
    protected.await_bound(names, BOUND)
    Order(protected, start).check(names)
    protected.forget(names)


def test_pods_wait_when_the_leader_is_killed(protected: Protected, controller: Control) -> None:
    names, start = fresh(MANY, "killed"), protected.plane.audit_position()
    other = protected.controller()
    other.start()
    with controller.frozen():
        protected.create_all(names[: MANY // 2])
    wait_for(lambda: covered(protected, names), SOON, "the first coverage")
    controller.kill()
    protected.create_all(names[MANY // 2 :])
    protected.await_bound(names, BOUND)
    assert other.leads()
    Order(protected, start).check(names)
    other.stop()
    protected.forget(names)


def covered(protected: Protected, names: list[str]) -> bool:
    return bool(protected.states().keys() & set(names))


def test_pods_wait_when_the_api_server_restarts(protected: Protected, controller: Control) -> None:
    names, start = fresh(MANY, "restarted"), protected.plane.audit_position()
    with controller.frozen():
        protected.create_all(names[: MANY // 2])
    protected.plane.restart_apiserver()
    protected.create_all(names[MANY // 2 :])
    protected.await_bound(names, BOUND)
    Order(protected, start).check(names)
    protected.forget(names)
