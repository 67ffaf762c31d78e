"""What has been done once is not done again: no request beyond the watches, no object touched."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.audit import asked
from tests.controller.adoption import WRITES
from tests.controller.control import AGENT, Control
from tests.controller.protected import (
    CLIENTS,
    GENERATED,
    NAMESPACES,
    POLICIES,
    Protected,
    fresh,
    scaled,
)
from tests.controlplane.wait import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

UPDATES = scaled(500, 10_000)


def versions(protected: Protected, namespace: str) -> dict[str, tuple[str, str]]:
    """uid and resourceVersion by name of the policy."""
    return {
        name: (one["metadata"]["uid"], one["metadata"]["resourceVersion"])
        for name, one in protected.policies(namespace).items()
    }


def mark(protected: Protected, controller: Control) -> None:
    """Wait until the controller has worked through all that happened before now."""
    (name,) = fresh(1, "mark")
    protected.api.create(NAMESPACES, {"metadata": {"name": name}})
    protected.await_covered([name])
    wait_for(
        lambda: controller.metrics().get("netreeve_controller_queue_depth") == 0,
        10,
        "an idle queue",
    )
    protected.forget([name])


def test_updates_of_a_namespace_write_nothing(
    protected: Protected, controller: Control, namespace: str
) -> None:
    event = f"/{namespace}/events"  # the last that is written of a new namespace
    wait_for(lambda: any(event in one.uri for one in asked(protected.plane, AGENT)), 10, "it")
    mark(protected, controller)
    before, start = versions(protected, namespace), protected.plane.audit_position()
    assert set(before) == GENERATED

    def update(number: int) -> None:
        annotations = {"example.com/number": str(number)}
        body = {"metadata": {"annotations": annotations}}
        protected.api.insist_on_patch(f"{NAMESPACES}/{namespace}", body)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(update, range(UPDATES)))
    mark(protected, controller)
    assert versions(protected, namespace) == before
    asked_for = asked(protected.plane, AGENT, start)
    assert [one for one in asked_for if namespace in one.uri and one.verb in WRITES] == []


def test_a_steady_state_asks_nothing(
    protected: Protected, controller: Control, namespace: str
) -> None:
    mark(protected, controller)
    start = protected.plane.audit_position()
    until = time.monotonic() + scaled(10, 60)
    wait_for(lambda: time.monotonic() > until, 120, "nothing to happen")
    requests = asked(protected.plane, AGENT, start)
    assert {one.verb for one in requests} <= {"watch"}


def test_a_restarted_controller_writes_nothing(
    protected: Protected, controller: Control, namespace: str
) -> None:
    mark(protected, controller)
    before, start = versions(protected, namespace), protected.plane.audit_position()
    controller.stop()
    controller.start()
    wait_for(controller.leads, 10, "the Lease that was released")
    mark(protected, controller)
    assert versions(protected, namespace) == before
    requests = asked(protected.plane, AGENT, start)
    assert [one for one in requests if namespace in one.uri and one.verb in WRITES] == []


def test_versions_change_when_something_is_written(protected: Protected, namespace: str) -> None:
    """The measure of the tests above."""
    before = versions(protected, namespace)
    path = f"{POLICIES.format(namespace)}/allow-dns"
    protected.api.patch(path, {"metadata": {"annotations": {"example.com/a": "b"}}})
    changed = versions(protected, namespace)
    assert {name for name in before if before[name] != changed[name]} == {"allow-dns"}
