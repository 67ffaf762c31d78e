"""One leader at a time, whatever becomes of network, API server, clocks, Lease and work."""

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from kubernetes.client import CoordinationV1Api

from tests.cluster.candidates import NAMESPACE, TIMING, Candidate, Terms, standing
from tests.cluster.conftest import by_way_of
from tests.cluster.middlebox import Middlebox
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cluster.election import Timing

pytestmark = pytest.mark.cluster

RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: candidates, namespace: default}
rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: candidates, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: candidates}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: candidates}]
"""
SOON = 2.5
"""Until something that is free is taken, on a busy machine; shorter than a Lease lasts."""
LATEST = TIMING.lease + SOON
EARLIER = "2026-01-01T00:00:00.000000Z"

Make = Callable[..., Candidate]


@pytest.fixture(scope="package")
def candidate(plane: ControlPlane) -> Path:
    """The kubeconfig of a user with exactly the rights that a candidate says it needs."""
    plane.kubectl("apply", "-f", "-", stdin=RIGHTS)
    question = ("auth", "can-i", "patch", "leases", "--as=anybody", "--as-group=candidates")
    wait_for(lambda: not plane.kubectl(*question, check=False).returncode, 10, "the rights")
    return plane.kubeconfig_for("candidate", ("candidates",))


@pytest.fixture
def lease(request: pytest.FixtureRequest) -> str:
    """The name of this test's own Lease."""
    return "".join(char if char.isalnum() else "-" for char in request.node.name).strip("-").lower()


@pytest.fixture
def terms() -> Iterator[Terms]:
    """After every test: no two candidates have led at once."""
    found = Terms()
    yield found
    found.check()


@pytest.fixture
def make(candidate: Path, lease: str, terms: Terms, agent: str) -> Make:
    """Makes a candidate for the Lease of this test."""

    def made(name: str, kubeconfig: Path = candidate, **options: Any) -> Candidate:
        return Candidate(kubeconfig, lease, name, terms, agent=f"{agent}-{name}", **options)

    return made


@pytest.fixture
def detour(candidate: Path, middlebox: Middlebox, tmp_path: Path) -> Path:
    """The candidate's kubeconfig, by way of the middlebox."""
    return by_way_of(middlebox, candidate, tmp_path / "detour.kubeconfig")


@pytest.fixture
def leases(plane: ControlPlane) -> CoordinationV1Api:
    """The administrator's client."""
    return CoordinationV1Api(plane.api_client())


def spec(leases: CoordinationV1Api, name: str) -> dict[str, Any]:
    """What the API server has of it, as JSON says it."""
    found = leases.read_namespaced_lease(name, NAMESPACE)
    result: dict[str, Any] = leases.api_client.sanitize_for_serialization(found)["spec"]
    return result


def hold(plane: ControlPlane, name: str, renewed: str = EARLIER, duration: int = 3) -> None:
    """Take or renew it as somebody who is no candidate of ours."""
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "holderIdentity": "stranger",
            "leaseDurationSeconds": duration,
            "renewTime": renewed,
            "leaseTransitions": 7,
        },
    }
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(body))


def exists(leases: CoordinationV1Api, name: str) -> bool:
    field = f"metadata.name={name}"
    return bool(leases.list_namespaced_lease(NAMESPACE, field_selector=field).items)


def never(act: Callable[[], bool], seconds: float, what: str) -> None:
    """Call `act` for so long; fails when it is ever true."""
    end = time.monotonic() + seconds

    def over() -> bool:
        assert not act(), what
        return time.monotonic() > end

    wait_for(over, seconds + 5, "the end")


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


def test_silence_ends_the_work_before_another_leads(
    make: Make, detour: Path, middlebox: Middlebox, terms: Terms
) -> None:
    cut_off, other = make("cut-off", detour), make("other")
    with standing(cut_off):
        cut_off.await_lead(SOON)
        with standing(other):
            middlebox.silence()
            silent = time.monotonic()
            other.await_lead(LATEST)
            first = terms.ended[0]
            assert TIMING.renew - 2 * TIMING.retry < first.end - silent < TIMING.renew + 0.5
            assert time.monotonic() - silent > TIMING.lease - 2 * TIMING.retry
            assert "no answer in" in cut_off.election.failure
            assert not cut_off.election.is_leader
            # What it sent into the silence arrives now, and is too late.
            middlebox.relay()
            wait_for(lambda: not cut_off.election.failure, SOON, "an answer")
            wait_for(lambda: cut_off.election.holder == other.election.identity, SOON, "the truth")
            never(cut_off.working.is_set, TIMING.lease, "two lead")
            assert other.election.transitions == 1
        cut_off.await_lead(SOON)


def test_what_arrives_late_makes_no_second_leader(
    make: Make, detour: Path, middlebox: Middlebox
) -> None:
    late, other = make("late", detour), make("other")
    with standing(late):
        late.await_lead(SOON)
        with standing(other):
            middlebox.silence()
            late.await_end(TIMING.renew + SOON)
            middlebox.relay()  # and with it the renewals that were held up
            wait_for(lambda: late.working.is_set() or other.working.is_set(), LATEST, "a leader")
            assert late.election.is_leader != other.election.is_leader


def test_a_short_silence_is_outlived(
    make: Make, detour: Path, middlebox: Middlebox, terms: Terms
) -> None:
    with standing(make("patient", detour)) as patient:
        patient.await_lead(SOON)
        middlebox.silence()
        wait_for(lambda: patient.election.failure, SOON, "a request without an answer")
        middlebox.relay()
        wait_for(lambda: not patient.election.failure, SOON, "an answer")
        never(lambda: not patient.election.is_leader, TIMING.renew, "the Lease is lost")
        assert not terms.ended


def test_no_failure_of_the_network_ends_it(
    make: Make, detour: Path, middlebox: Middlebox, terms: Terms
) -> None:
    middlebox.cut()
    with standing(make("stubborn", detour)) as stubborn:
        wait_for(lambda: "not reachable" in stubborn.election.failure, SOON, "the failure")
        middlebox.relay()
        stubborn.await_lead(SOON)
        middlebox.cut()
        stubborn.await_end(TIMING.renew + SOON)
        before = middlebox.accepted
        wait_for(lambda: middlebox.accepted >= before + 3, SOON, "further attempts")
        middlebox.relay()
        stubborn.await_lead(LATEST)
        assert len(terms.ended) == 1


def test_restart_of_the_api_server(plane: ControlPlane, make: Make, terms: Terms) -> None:
    with standing(make("one")) as one, standing(make("two")) as two:
        wait_for(lambda: one.working.is_set() or two.working.is_set(), SOON, "a leader")
        plane.stop_apiserver()
        wait_for(lambda: one.election.failure and two.election.failure, SOON, "both failures")
        terms.await_end(1, LATEST)
        assert not any(each.election.is_leader for each in (one, two))
        plane.start_apiserver()
        wait_for(lambda: one.working.is_set() or two.working.is_set(), LATEST, "a leader")


def test_a_slow_clock(make: Make, detour: Path, middlebox: Middlebox, terms: Terms) -> None:
    def slow() -> float:
        return time.monotonic() * 0.6  # 1.5 seconds last 2.5, and nobody takes it within 3

    cut_off, other = make("slow", detour, clock=slow), make("other")
    with standing(cut_off):
        cut_off.await_lead(SOON)
        with standing(other):
            middlebox.silence()
            other.await_lead(LATEST)
            assert [term.leader for term in terms.ended] == ["slow"]


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


def test_a_process_that_was_stopped_does_not_believe_that_it_leads(
    make: Make, terms: Terms
) -> None:
    stopped, other, go_on = make("stopped"), make("other"), threading.Event()
    with standing(stopped), ExitStack() as stack:
        stack.callback(go_on.set)
        stopped.await_lead(SOON)
        stack.enter_context(standing(other))
        stopped.loop.call_soon_threadsafe(go_on.wait)
        other.await_lead(LATEST)
        assert not stopped.election.is_leader
        assert stopped.working.is_set()  # nothing in it could cancel that
        go_on.set()
        stopped.await_end(1)
        assert terms.ended.pop().leader == "stopped"


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
