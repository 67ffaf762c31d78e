"""Who may exempt, as real RBAC says, and what that may cost the API server at most."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from kubernetes.client import CoreV1Api

from policies.model import Right, User
from tests.cluster.clock import Clock
from tests.cluster.conftest import by_way_of, create_namespace
from tests.cluster.middlebox import Middlebox
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cluster import access as module
from webhook.cluster.access import (
    AT_ONCE,
    LONGEST_USER,
    MOST_OF_ONE_USER,
    MOST_WAITING,
    PAUSE_SECONDS,
    REMEMBER_SECONDS,
    Access,
)
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig

pytestmark = pytest.mark.cluster

# The right that an asker needs; then who may exempt what.
RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: askers}
rules: [{apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: askers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: askers}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: askers}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: exempt-baseline, namespace: team-a}
rules:
- {apiGroups: [netreeve.io], resources: [policies], resourceNames: [baseline], verbs: [exempt]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: exempt-baseline, namespace: team-a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: exempt-baseline}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: alice}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: team-a-leads}
- {kind: ServiceAccount, name: deployer, namespace: team-a}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: write-policies, namespace: team-a}
rules:
- apiGroups: [netreeve.io]
  resources: [policies]
  verbs: [get, list, watch, create, update, patch, delete]
- {apiGroups: [netreeve.io], resources: [exemptions], verbs: [exempt]}
- {apiGroups: [example.com], resources: [policies], verbs: [exempt]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: write-policies, namespace: team-a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: write-policies}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: exempt-everything}
rules: [{apiGroups: [netreeve.io], resources: [policies], verbs: [exempt]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: exempt-everything}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: exempt-everything}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: platform}]
"""
GRANT = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: carol, namespace: team-a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: exempt-baseline}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: carol}]
"""
HERE = Right("baseline", "team-a")
ELSEWHERE = Right("baseline", "team-b")
ANOTHER = Right("host-network", "team-a")
EVERYWHERE = Right("baseline")
ALL = (HERE, ELSEWHERE, ANOTHER, EVERYWHERE)
ALICE = User("alice")
ACCOUNTS = ("system:serviceaccounts", "system:authenticated")

T = TypeVar("T")


@pytest.fixture(scope="package")
def asker(plane: ControlPlane, api: CoreV1Api) -> Path:
    """The kubeconfig of a user with exactly the right that asking needs."""
    for name in ("team-a", "team-b"):
        create_namespace(api, name)
    plane.kubectl("apply", "-f", "-", stdin=RIGHTS)
    asker = plane.kubeconfig_for("asker", ("askers",))
    platform = User("", "", ("platform",))
    wait_for(
        lambda: with_access(asker, lambda access: access.allowed(platform, [HERE])).get(HERE),
        10,
        "the rights",
    )
    return asker


@pytest.fixture
def detour(asker: Path, middlebox: Middlebox, tmp_path: Path) -> Path:
    """The asker's kubeconfig, by way of the middlebox."""
    return by_way_of(middlebox, asker, tmp_path / "detour.kubeconfig")


def with_access(
    kubeconfig: Path, act: Callable[[Access], Awaitable[T]], agent: str = "asker", **options: Any
) -> T:
    """What comes of an act in a process that may ask."""

    async def main() -> T:
        async with Connection(Kubeconfig(str(kubeconfig)), user_agent=agent) as connection:
            return await act(Access(connection, **options))

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("user", "granted"),
    [
        (ALICE, {HERE}),
        (User("nobody", "", ("system:authenticated",)), set()),
        (User("nobody", "", ("other", "team-a-leads")), {HERE}),
        (User("bob"), set()),  # may do everything with policies but exempt from them
        (User("anybody", "", ("platform",)), set(ALL)),
        (User("", "", ("platform",)), set(ALL)),
        (User("root", "", ("system:masters",)), set(ALL)),
        (User("system:serviceaccount:team-a:deployer", "1-2", ACCOUNTS), {HERE}),
        (User("system:serviceaccount:team-b:deployer", "1-3", ACCOUNTS), set()),
        (User("system:serviceaccount:team-a:default", "1-4", ACCOUNTS), set()),
    ],
)
def test_who_may(asker: Path, user: User, granted: set[Right]) -> None:
    answers = with_access(asker, lambda access: access.allowed(user, ALL))
    assert answers == {right: right in granted for right in ALL}


def test_everything_that_is_known_of_the_user_is_sent(
    plane: ControlPlane, asker: Path, agent: str
) -> None:
    extra = {
        "authentication.kubernetes.io/credential-id": ("JTI=1", "JTI=2"),
        "example.com/Änderung": (),
    }
    user = User("carla", "42-17", ("one", "two"), extra)
    with_access(asker, lambda access: access.allowed(user, [HERE]), agent)
    (spec,) = wait_for(lambda: asked_specs(plane, agent), 5, "the audit event")
    assert spec == {
        "user": "carla",
        "uid": "42-17",
        "groups": ["one", "two"],
        "extra": {
            "authentication.kubernetes.io/credential-id": ["JTI=1", "JTI=2"],
            "example.com/Änderung": [],
        },
        "resourceAttributes": {
            "verb": "exempt",
            "group": "netreeve.io",
            "resource": "policies",
            "name": "baseline",
            "namespace": "team-a",
        },
    }


def asked_specs(plane: ControlPlane, agent: str) -> list[dict[str, Any]]:
    events = [one for one in plane.audit_events() if one.get("userAgent") == agent]
    return [one["requestObject"]["spec"] for one in events]


def test_answers_are_remembered_for_a_while(plane: ControlPlane, asker: Path) -> None:
    clock, carol = Clock(), User("carol")

    async def act(access: Access) -> None:
        async def allowed() -> bool:
            return (await access.allowed(carol, [HERE]))[HERE]

        assert not await allowed()
        plane.kubectl("apply", "-f", "-", stdin=GRANT)
        await until_granted(access)
        clock.time += REMEMBER_SECONDS - 1
        before = access.asked
        assert not await allowed()
        assert access.asked == before
        clock.time += 1
        assert await allowed()
        plane.kubectl("delete", "-f", "-", stdin=GRANT)
        clock.time += REMEMBER_SECONDS - 1
        assert await allowed()
        assert access.asked == before + 1

    async def until_granted(access: Access) -> None:
        """Another uid is another question, and its answer is not remembered yet."""
        for number in range(1000):
            one = User("carol", str(number))
            if (await access.allowed(one, [HERE]))[HERE]:
                return
        pytest.fail("the grant does not come into force")

    with_access(asker, act, clock=clock)


def test_another_user_is_another_question(asker: Path) -> None:
    users = [
        ALICE,
        User("alice", "1"),
        User("alice", "", ("one",)),
        User("alice", "", ("one", "two")),
        User("alice", "", (), {"scope": ("one",)}),
        User("alice", "", (), {"scope": ("two",)}),
        User("alice", "", (), {"other": ("two",)}),
    ]

    async def act(access: Access) -> int:
        for _ in range(2):
            for user in users:
                assert await access.allowed(user, [HERE]) == {HERE: True}
        return access.asked

    assert with_access(asker, act) == len(users)


def test_the_same_question_is_asked_once(asker: Path) -> None:
    async def act(access: Access) -> None:
        asking = [access.allowed(ALICE, ALL) for _ in range(MOST_OF_ONE_USER)]
        answers = await asyncio.gather(*asking)
        assert all(answer == answers[0] for answer in answers)
        assert len(answers[0]) == len(ALL)
        assert (access.asked, access.unanswered) == (len(ALL), 0)

    with_access(asker, act)


def test_whoever_leaves_takes_the_answer_from_nobody(asker: Path) -> None:
    async def act(access: Access) -> None:
        first, second = (asyncio.create_task(access.allowed(ALICE, [HERE])) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == {HERE: True}
        assert access.asked == 1

    with_access(asker, act)


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
