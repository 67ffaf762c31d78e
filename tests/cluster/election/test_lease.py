"""What others write into a Lease, and when it may be taken from them."""

import time

import pytest
from kubernetes.client import CoordinationV1Api

from tests.cluster.election.candidates import NAMESPACE, TIMING, Terms, standing
from tests.cluster.election.given import LATEST, SOON, Make, exists, hold, never, spec
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("hour", ["2001-01-01T00", "2099-12-31T23"])
def test_the_time_of_day_decides_nothing(
    plane: ControlPlane, lease: str, make: Make, hour: str
) -> None:
    beats = iter(range(3600))

    def beat() -> None:
        minute, second = divmod(next(beats), 60)
        hold(plane, lease, f"{hour}:{minute:02}:{second:02}.000000Z")

    beat()
    with standing(make("waiting")) as waiting:
        deadline = time.monotonic() + 1.5 * TIMING.lease
        while time.monotonic() < deadline:
            beat()
            never(waiting.working.is_set, 1, "two lead")
        beat()
        last = time.monotonic()
        waiting.await_lead(LATEST)
        assert time.monotonic() - last >= TIMING.lease
        assert waiting.election.transitions == 8


def test_a_promise_of_more_time_is_honoured(plane: ControlPlane, lease: str, make: Make) -> None:
    hold(plane, lease, duration=6)
    with standing(make("waiting")) as waiting:
        started = time.monotonic()
        waiting.await_lead(6 + SOON)
        assert time.monotonic() - started >= 6


def test_a_label_is_no_sign_of_life_and_stays(
    plane: ControlPlane, leases: CoordinationV1Api, lease: str, make: Make
) -> None:
    hold(plane, lease)
    labelled = iter(range(1000))

    def label() -> bool:
        labels = {"seen": str(next(labelled))}
        leases.patch_namespaced_lease(lease, NAMESPACE, {"metadata": {"labels": labels}})
        return waiting.election.is_leader

    with standing(make("waiting")) as waiting:
        wait_for(label, LATEST, "it to lead")
        never(lambda: not label(), TIMING.renew, "the Lease is lost")
    found = leases.read_namespaced_lease(lease, NAMESPACE)
    assert found.metadata
    assert found.metadata.labels == {"seen": str(next(labelled) - 1)}


def test_who_leads_goes_on_when_the_lease_is_deleted(
    leases: CoordinationV1Api, lease: str, make: Make, terms: Terms
) -> None:
    with standing(make("first")) as first:
        first.await_lead(SOON)
        with standing(make("second")) as second:
            wait_for(lambda: second.election.holder, SOON, "the second to see the first")
            for _ in range(3):
                leases.delete_namespaced_lease(lease, NAMESPACE)
                wait_for(lambda: exists(leases, lease), SOON, "the Lease")
                assert spec(leases, lease)["holderIdentity"] == first.election.identity
            never(second.working.is_set, TIMING.lease, "two lead")
        assert not terms.ended


def test_the_lease_is_lost_as_soon_as_another_has_it(
    plane: ControlPlane, lease: str, make: Make
) -> None:
    with standing(make("robbed")) as robbed:
        robbed.await_lead(SOON)
        hold(plane, lease)
        robbed.await_end(TIMING.retry * 1.2 + 0.5)
        assert robbed.election.holder == "stranger"
        robbed.await_lead(LATEST)
