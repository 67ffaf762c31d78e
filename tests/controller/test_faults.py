"""The controller and an API server that refuses, conflicts, forgets and dawdles.

Each time the work is done in the end, in the right order, and with few requests on the way.
"""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.controller.control import USER, Control
from tests.controller.faults import Fault, Faults
from tests.controller.protected import SOON, Order, Protected, fresh, scaled
from tests.controlplane.wait import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

MANY = scaled(4, 100)
CONVERGED = 60.0 + MANY
CREATE = r"^POST .*/networkpolicies"
WRITES = r"^(POST|PATCH) .*/(networkpolicies|namespaces/[^/]*|pods/[^/]*)\?"
WATCHES = r"^GET .*watch=true"
STRIPES = 4
"""Of what is written for one namespace, this many requests are no hot loop: three policies, the
status, an event, and for each of two pods one look and one patch make nine."""


@pytest.fixture(scope="module")
def between(
    unattended: Protected, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Faults, Control]]:
    """What a controller sees of the API server, and the controller."""
    kubeconfig = unattended.plane.kubeconfig_for(USER)
    with Faults(unattended.plane, kubeconfig, tmp_path_factory.mktemp("faults")) as front:
        one = unattended.controller(front.kubeconfig)
        one.start()
        yield front, one
        one.stop()


@pytest.fixture
def front(between: tuple[Faults, Control]) -> Iterator[Faults]:
    """Nothing is wrong yet, and the controller leads."""
    front, controller = between
    wait_for(controller.leads, SOON, "the controller to lead")
    yield front
    front.inject()


CASES = {
    "409 Conflict on creation, as of a quota": Fault(CREATE, 409, "Conflict", times=3 * MANY),
    "409 AlreadyExists of what is not there": Fault(CREATE, 409, "AlreadyExists", times=MANY),
    "409 on the status": Fault(r"^PATCH .*/namespaces/[^/]*\?", 409, "Conflict", times=2 * MANY),
    "409 on the gates": Fault(r"^PATCH .*/pods/", 409, "Conflict", times=3),
    "410 for watches": Fault(WATCHES, 410, "Expired", times=5),
    "410 in watches": Fault(WATCHES, 410, "Expired", within=True, times=5),
    "429 for everything": Fault("^", 429, "TooManyRequests", retry_after=1, times=5 * MANY),
    "500 for writes": Fault(WRITES, 500, "InternalError", times=3 * MANY),
    "503 for everything": Fault("^", 503, "ServiceUnavailable", times=5 * MANY),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_is_done_in_the_end(
    unattended: Protected, between: tuple[Faults, Control], front: Faults, name: str
) -> None:
    names, start = fresh(MANY, "refused"), unattended.plane.audit_position()
    fault = CASES[name]
    front.inject(fault)
    if "watches" in name:
        unattended.plane.restart_apiserver()  # ends the watches that there are
    with between[1].frozen():  # so that all pods wait
        unattended.create_all(names)
    unattended.await_bound(names, CONVERGED)
    unattended.await_covered(names, CONVERGED)
    Order(unattended, start).check(names)
    assert fault.hits >= min(fault.times, MANY, 3)
    sent = [one for one in front.seen if any(f"/{name}" in one.request for name in names)]
    refused = sum(bool(one.status) for one in sent)
    assert len(sent) - refused <= 9 * STRIPES * MANY
    unattended.forget(names)


def test_it_waits_as_long_as_the_api_server_asks(unattended: Protected, front: Faults) -> None:
    """Not only with what was refused: the API server has no time for the rest either."""
    names = fresh(MANY, "throttled")
    front.inject(Fault(CREATE, 429, "TooManyRequests", retry_after=3, times=2 * MANY))
    unattended.create_all(names)
    unattended.await_covered(names, CONVERGED)
    writes = front.matching(WRITES)
    for place, one in enumerate(writes):
        if one.status:
            # Those that were on their way when it was refused are not called back.
            after = [other for other in writes[place + 1 :] if other.at - one.at > 0.5]
            assert all(other.at - one.at >= 3 for other in after[:1])
    unattended.forget(names)


def test_it_tries_later_and_later_and_never_all_at_once(
    unattended: Protected, front: Faults
) -> None:
    names = fresh(MANY, "later")
    fault = Fault(CREATE, 503, "ServiceUnavailable")
    front.inject(fault)
    for name in names:
        unattended.api.insist("/api/v1/namespaces", {"metadata": {"name": name}})
    tries = {name: f"^POST .*/namespaces/{name}/networkpolicies" for name in names}
    wait_for(lambda: all(len(front.matching(one)) >= 6 for one in tries.values()), 30, "six tries")
    gaps = {
        name: [later.at - one.at for one, later in pairwise(front.matching(pattern))]
        for name, pattern in tries.items()
    }
    for found in gaps.values():
        assert sum(found[:5]) >= 0.5 * (0.2 + 0.4 + 0.8 + 1.6 + 3.2)
        assert found[4] >= 1.6
    assert len({round(found[4], 2) for found in gaps.values()}) > 1, "jitter"
    fault.times = 0
    unattended.await_covered(names, CONVERGED)
    unattended.forget(names)


def test_a_slow_api_server_is_no_failure(unattended: Protected, front: Faults) -> None:
    """Every answer is late, and some are later than anybody waits: what they say was done."""
    names, start = fresh(MANY, "slow"), unattended.plane.audit_position()
    front.inject(
        Fault(rf"^POST .*/namespaces/{names[0]}/networkpolicies", late=12, times=1),
        Fault(r"^(POST|PATCH|GET) (?!.*watch=true)", late=1.0),
    )
    unattended.create_all(names)
    unattended.await_bound(names, CONVERGED)
    unattended.await_covered(names, CONVERGED)
    Order(unattended, start).check(names)
    created = front.matching(CREATE)
    assert len(created) <= 3 * MANY + 2
    unattended.forget(names)
