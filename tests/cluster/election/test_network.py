"""One leader at a time, whatever becomes of the network, the API server and the process."""

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.election.candidates import TIMING, Terms, standing
from tests.cluster.election.given import LATEST, SOON, Make, never
from tests.cluster.middlebox import Middlebox
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

pytestmark = pytest.mark.cluster


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
