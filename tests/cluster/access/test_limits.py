"""What asking may cost the API server at most, and what becomes of it when that does not answer."""

import asyncio
import time
from pathlib import Path

import pytest

from policies.model import Right, User
from tests.cluster.access.given import ALICE, ALL, ANOTHER, ELSEWHERE, HERE, with_access
from tests.cluster.clock import Clock
from tests.cluster.middlebox import Middlebox
from tests.controlplane.cluster import ControlPlane
from webhook.cluster import access as module
from webhook.cluster.access import (
    AT_ONCE,
    LONGEST_USER,
    MOST_OF_ONE_USER,
    MOST_WAITING,
    PAUSE_SECONDS,
    Access,
)

pytestmark = pytest.mark.cluster


def test_many_rights_are_asked_a_few_at_a_time(detour: Path, middlebox: Middlebox) -> None:
    rights = [Right(f"policy-{number}", "team-a") for number in range(60)]
    user = User("anybody", "", ("platform",))
    answers = with_access(detour, lambda access: access.allowed(user, rights), seconds=10)
    assert answers == dict.fromkeys(rights, True)
    # Each request has a connection to itself, and those are used again.
    assert 1 < middlebox.accepted <= AT_ONCE


def test_a_flood_of_one_user_is_cut_and_drowns_nobody(asker: Path) -> None:
    async def act(access: Access) -> None:
        rights = [Right("baseline", f"space-{number}") for number in range(3000)]
        flood = [asyncio.create_task(access.allowed(User("mallory"), [one])) for one in rights]
        await asyncio.sleep(0)
        assert await access.allowed(ALICE, [HERE]) == {HERE: True}
        answered = [answer for answer in await asyncio.gather(*flood) if answer]
        assert len(answered) == MOST_OF_ONE_USER
        assert access.asked == MOST_OF_ONE_USER + 1
        assert access.unanswered == len(rights) - MOST_OF_ONE_USER

    with_access(asker, act, seconds=20)


def test_a_flood_of_many_users_is_cut(asker: Path) -> None:
    async def act(access: Access) -> None:
        users = [User(f"mallory-{number}") for number in range(3000)]
        answers = await asyncio.gather(*(access.allowed(one, [HERE]) for one in users))
        assert len([answer for answer in answers if answer]) == access.asked == MOST_WAITING

    with_access(asker, act, seconds=20)


def test_a_silent_api_server_is_waited_for_once(detour: Path, middlebox: Middlebox) -> None:
    clock = Clock()

    async def act(access: Access) -> None:
        assert await access.allowed(ALICE, [HERE]) == {HERE: True}
        middlebox.silence()
        started = time.monotonic()
        waiting = [access.allowed(User(f"user-{number}"), [HERE]) for number in range(100)]
        assert await asyncio.gather(*waiting) == [{}] * 100
        assert 0.3 <= time.monotonic() - started < 0.3 + 1
        assert access.asked == 1 + AT_ONCE
        async with asyncio.timeout(1):
            while not access.failure:  # the requests end just when nobody waits any more
                await asyncio.sleep(0)
        assert "no answer in 0.3 s" in access.failure
        # What is known is known, and of the rest nothing is asked for now.
        assert await access.allowed(ALICE, [HERE, ELSEWHERE]) == {HERE: True}
        assert access.asked == 1 + AT_ONCE
        middlebox.relay()
        assert await access.allowed(ALICE, [ELSEWHERE]) == {}
        assert access.unanswered == 100 + 2
        async with asyncio.timeout(5):
            while not (answers := await access.allowed(ALICE, [ELSEWHERE])):
                clock.time += PAUSE_SECONDS
        assert answers == {ELSEWHERE: False}
        assert access.failure == ""

    with_access(detour, act, seconds=0.3, clock=clock)


def test_an_api_server_that_is_away(detour: Path, middlebox: Middlebox) -> None:
    clock = Clock()

    async def act(access: Access) -> None:
        middlebox.cut()
        assert await access.allowed(ALICE, ALL) == {}
        assert "not reachable" in access.failure
        middlebox.relay()
        clock.time += PAUSE_SECONDS
        assert await access.allowed(ALICE, [HERE]) == {HERE: True}

    with_access(detour, act, clock=clock)


def test_without_the_right_to_ask(plane: ControlPlane, caplog: pytest.LogCaptureFixture) -> None:
    async def act(access: Access) -> None:
        assert await access.allowed(ALICE, [HERE]) == {}
        assert "cannot create resource" in access.failure
        assert access.failure.endswith("grant this to the user in a ClusterRole")

    with_access(plane.kubeconfig_for("nobody"), act)
    assert caplog.text.count("until it can be asked again, nobody is exempt") == 1


@pytest.mark.parametrize("user", [User(), User("a", "", ("x" * LONGEST_USER,))])
def test_some_are_not_asked_about(asker: Path, user: User) -> None:
    async def act(access: Access) -> None:
        assert await access.allowed(user, [HERE]) == {}
        assert await access.allowed(ALICE, []) == {}
        assert (access.asked, access.unanswered) == (0, 1)

    with_access(asker, act)


def test_thousands_of_groups(asker: Path) -> None:
    groups = tuple(f"cn=group-{number},ou=groups,dc=example,dc=com" for number in range(8000))
    user = User("joiner", "", (*groups, "team-a-leads"))
    assert with_access(asker, lambda access: access.allowed(user, [HERE])) == {HERE: True}


def test_the_memory_is_bounded(asker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)

    async def act(access: Access) -> int:
        for right in (HERE, ELSEWHERE, HERE, ANOTHER, ELSEWHERE, HERE):
            await access.allowed(ALICE, [right])
        return access.asked

    assert with_access(asker, act) == 4
