"""One leader at a time, which hands over and ends its work in order."""

import asyncio
import random
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kubernetes.client import CoordinationV1Api

from tests.cluster.election.candidates import TIMING, Candidate, Terms, standing
from tests.cluster.election.given import LATEST, SOON, Make, hold, never, spec
from tests.cluster.middlebox import Middlebox, by_way_of
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cluster.election import Timing

pytestmark = pytest.mark.cluster


def test_the_next_one_waits_and_takes_over_at_once_when_it_is_released(
    leases: CoordinationV1Api, lease: str, make: Make
) -> None:
    first, second = make("first"), make("second")
    with standing(first), ExitStack() as later:
        first.await_lead(SOON)
        before = spec(leases, lease)
        assert before["holderIdentity"] == first.election.identity == first.election.holder
        assert before["holderIdentity"].startswith("first_")
        assert (before["leaseDurationSeconds"], before["leaseTransitions"]) == (3, 0)
        later.enter_context(standing(second))
        never(second.working.is_set, TIMING.lease + 1, "the second leads")
        assert (first.election.is_leader, second.election.is_leader) == (True, False)
        assert second.election.holder == first.election.identity
        after = spec(leases, lease)
        assert after["acquireTime"] == before["acquireTime"]
        assert after["renewTime"] > before["renewTime"]
        kept = later.pop_all()
    assert not first.election.is_leader
    with kept:
        second.await_lead(SOON)
        assert spec(leases, lease)["leaseTransitions"] == second.election.transitions == 1
    assert spec(leases, lease)["holderIdentity"] == ""


def test_leads_again_over_what_was_released(make: Make) -> None:
    for number in range(3):
        with standing(make("restarted")) as one:
            one.await_lead(SOON)
            assert one.election.transitions == number


def test_while_its_work_does_not_end_it_is_no_candidate(
    plane: ControlPlane, lease: str, make: Make, terms: Terms, caplog: pytest.LogCaptureFixture
) -> None:
    ending = threading.Event()
    with standing(make("slow", ending=ending)) as slow:
        slow.await_lead(SOON)
        hold(plane, lease)
        wait_for(lambda: slow.election.holder == "stranger", SOON, "the loss")
        never(lambda: not slow.working.is_set(), LATEST, "it ended")
        assert "our work does not end, and others may lead by now" in caplog.text
        assert slow.election.holder == "stranger"
        ending.set()
        terms.await_end(1, 1)
        slow.await_lead(SOON)


def test_an_orderly_end_waits_for_the_work(
    leases: CoordinationV1Api, lease: str, make: Make
) -> None:
    ending = threading.Event()
    with standing(make("slow", ending=ending)) as slow:
        slow.await_lead(SOON)
        slow.stop()
        never(lambda: not slow.working.is_set(), 0.5, "it ended")
        assert spec(leases, lease)["holderIdentity"] == slow.election.identity
        ending.set()
        wait_for(lambda: not spec(leases, lease)["holderIdentity"], SOON, "the release")


async def fail() -> None:
    raise LookupError("no such thing")


def test_work_that_fails_is_told_and_the_lease_released(
    leases: CoordinationV1Api, lease: str, make: Make
) -> None:
    with pytest.raises(LookupError, match="no such thing"):
        asyncio.run(make("failing").run(fail))
    assert spec(leases, lease)["holderIdentity"] == ""


def test_work_that_is_done_ends_it(leases: CoordinationV1Api, lease: str, make: Make) -> None:
    asyncio.run(make("done").run(lambda: asyncio.sleep(0)))
    assert spec(leases, lease)["holderIdentity"] == ""
    assert spec(leases, lease)["leaseTransitions"] == 0


def test_without_the_right_it_says_so_and_waits(plane: ControlPlane, make: Make) -> None:
    nobody = make("nobody", plane.kubeconfig_for("nobody"))
    with standing(nobody):
        wait_for(lambda: nobody.election.failure, SOON, "the failure")
        assert "403" in nobody.election.failure
        assert 'cannot get resource "leases"' in nobody.election.failure
        assert not nobody.election.is_leader


@pytest.mark.parametrize(
    "times",
    [
        {"lease": 10},
        {"renew": 16},
        {"retry": 10},
        {"request": 11},
        {"retry": 0, "request": 0},
    ],
)
def test_times_that_promise_nothing(times: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="retry and request < renew < lease"):
        Timing(**times)


@pytest.mark.slow
def test_never_two_of_four(
    plane: ControlPlane, candidate: Path, make: Make, tmp_path: Path, terms: Terms
) -> None:
    dice = random.Random(4)
    port = urlsplit(plane.url).port or 0
    with ExitStack() as stack:
        pairs: list[tuple[Candidate, Middlebox]] = []
        for name, rate in {"one": 1.0, "two": 0.7, "three": 1.0, "four": 1.3}.items():
            box = stack.enter_context(Middlebox(port))
            way = by_way_of(box, candidate, tmp_path / name)
            one = make(name, way, clock=lambda rate=rate: time.monotonic() * rate)
            pairs.append((stack.enter_context(standing(one)), box))
        for _ in range(8):
            wait_for(lambda: any(one.working.is_set() for one, _ in pairs), 3 * LATEST, "a leader")
            number = len(terms.ended) + 1
            for one, box in pairs:
                if one.working.is_set():
                    dice.choice((box.cut, box.silence))()
                elif dice.random() < 0.5:
                    dice.choice((box.cut, box.silence, box.drop))()
            if dice.random() < 0.3:
                plane.restart_apiserver()
            terms.await_end(number, LATEST)
            for _, box in pairs:
                box.relay()
    assert len(terms.check()) >= 4
