"""Events as people find them with kubectl, and how often they are written."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from kubernetes.client import CoreV1Api, CoreV1Event

from tests.cluster.audit import asked, verbs
from tests.cluster.clock import Clock
from tests.cluster.namespaces import create_namespace
from tests.cluster.users import user_with
from tests.controlplane.cluster import ControlPlane
from webhook.cluster import events
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.events import QUIET_SECONDS, Event, Events, Reference

pytestmark = pytest.mark.cluster

RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: tellers}
rules: [{apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: tellers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: tellers}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: tellers}]
"""


@pytest.fixture(scope="package")
def teller(plane: ControlPlane) -> Path:
    """The kubeconfig of a user with exactly the rights that events need."""
    return user_with(plane, RIGHTS, "teller", "tellers", "patch", "events.events.k8s.io")


def tell(
    kubeconfig: Path,
    agent: str,
    act: Callable[[Events], Awaitable[None]],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Run one process that tells events."""

    async def main() -> None:
        async with Connection(Kubeconfig(str(kubeconfig)), user_agent=agent) as connection:
            await act(Events(connection, "control-0", clock=clock))

    asyncio.run(main())


def about(namespace: str, note: str = "default-deny is in force", **more: bool) -> Event:
    reference = Reference("v1", "Namespace", namespace)
    return Event(reference, "BaselineCovered", note, "ApplyBaseline", **more)


def found(api: CoreV1Api, namespace: str) -> list[CoreV1Event]:
    return list(api.list_namespaced_event(namespace).items)


def test_kubectl_shows_it_in_the_namespace_it_is_about(
    plane: ControlPlane, teller: Path, api: CoreV1Api, agent: str
) -> None:
    create_namespace(api, "told")
    tell(teller, agent, lambda events: events.tell(about("told", warning=True)))
    shown = plane.kubectl("events", "-n", "told", "--for", "namespace/told", "--no-headers").stdout
    assert shown.split(maxsplit=4)[1:] == [
        "Warning", "BaselineCovered", "Namespace/told", "default-deny is in force\n"
    ]  # fmt: skip
    (event,) = found(api, "told")
    assert (event.reporting_component, event.reporting_instance) == (
        "netreeve.io/control",
        "control-0",
    )


@pytest.mark.parametrize(
    ("reference", "home"),
    [
        (Reference("v1", "Pod", "web-0", "told-elsewhere", "1-2-3"), "told-elsewhere"),
        (Reference("v1", "Node", "node.example.com"), "default"),
    ],
)
def test_where_it_is_told(
    teller: Path, api: CoreV1Api, agent: str, reference: Reference, home: str
) -> None:
    if home not in {one.metadata.name for one in api.list_namespace().items if one.metadata}:
        create_namespace(api, home)
    event = Event(reference, "Released", "may run now", "RemoveGate")
    tell(teller, agent, lambda events: events.tell(event))
    told = [one for one in found(api, home) if one.reason == "Released"]
    assert [(one.involved_object.name, one.type) for one in told] == [(reference.name, "Normal")]


def test_the_same_again_is_counted_and_seldom_written(
    plane: ControlPlane, teller: Path, api: CoreV1Api, agent: str
) -> None:
    create_namespace(api, "counted")
    clock = Clock()

    async def act(events: Events) -> None:
        for _ in range(5):
            await events.tell(about("counted"))
        await events.tell(about("counted", "something else"))
        clock.time += QUIET_SECONDS - 1
        await events.tell(about("counted"))
        assert len(found(api, "counted")) == 2
        clock.time += 1
        await events.tell(about("counted"))
        await events.tell(about("counted"))

    tell(teller, agent, act, clock)
    counts = {one.message: one.series.count for one in found(api, "counted") if one.series}
    assert counts == {"default-deny is in force": 7}
    assert verbs(asked(plane, agent)) == {"create": 2, "patch": 1}


def test_what_the_api_server_has_forgotten_is_told_anew(
    teller: Path, api: CoreV1Api, agent: str
) -> None:
    create_namespace(api, "forgotten")
    clock = Clock()

    async def act(events: Events) -> None:
        await events.tell(about("forgotten"))
        api.delete_collection_namespaced_event("forgotten")
        clock.time += QUIET_SECONDS
        await events.tell(about("forgotten"))

    tell(teller, agent, act, clock)
    (event,) = found(api, "forgotten")
    assert event.series is None


def test_long_notes_are_cut_between_characters(teller: Path, api: CoreV1Api, agent: str) -> None:
    create_namespace(api, "long")
    tell(teller, agent, lambda events: events.tell(about("long", "x" + "ü" * 2000)))
    (event,) = found(api, "long")
    assert event.message == "x" + "ü" * 511


def test_no_failure_is_raised_and_the_next_time_tries_again(
    plane: ControlPlane, api: CoreV1Api, agent: str, caplog: pytest.LogCaptureFixture
) -> None:
    create_namespace(api, "untold")

    async def act(events: Events) -> None:
        await events.tell(about("untold"))
        await events.tell(about("untold"))

    tell(plane.kubeconfig_for("nobody"), agent, act)
    assert caplog.text.count("BaselineCovered untold not told: ") == 2
    assert "cannot create resource" in caplog.text
    assert found(api, "untold") == []


def test_a_namespace_that_is_ending_is_no_failure(
    teller: Path, api: CoreV1Api, agent: str, caplog: pytest.LogCaptureFixture
) -> None:
    create_namespace(api, "ending")
    api.delete_namespace("ending")
    with caplog.at_level(logging.DEBUG, logger=events.__name__):
        tell(teller, agent, lambda events: events.tell(about("ending")))
    assert caplog.messages == []
    assert found(api, "ending") == []


def test_the_memory_is_bounded(
    plane: ControlPlane,
    teller: Path,
    api: CoreV1Api,
    agent: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "REMEMBERED", 2)
    create_namespace(api, "many-told")

    async def act(events: Events) -> None:
        for note in ("a", "b", "a", "c", "a", "b"):
            await events.tell(about("many-told", note))

    tell(teller, agent, act)
    assert verbs(asked(plane, agent)) == {"create": 4}
