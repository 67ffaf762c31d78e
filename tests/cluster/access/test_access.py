"""Who may exempt, as real RBAC says, and how often that is asked."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from policies.model import Right, User
from tests.cluster.access.given import ALICE, ALL, HERE, with_access
from tests.cluster.clock import Clock
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cluster.access import MOST_OF_ONE_USER, REMEMBER_SECONDS, Access

pytestmark = pytest.mark.cluster
GRANT = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: carol, namespace: team-a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: exempt-baseline}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: carol}]
"""
ACCOUNTS = ("system:serviceaccounts", "system:authenticated")


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
