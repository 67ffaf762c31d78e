"""The reflector follows a real API server through everything that server can do to it."""

import asyncio
import time
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import CoreV1Api, V1ConfigMap, V1ObjectMeta

from tests.cluster.audit import asked, verbs
from tests.cluster.background import running
from tests.cluster.middlebox import Middlebox
from tests.cluster.namespaces import (
    create_namespace,
    label_namespace,
    names,
    remove_namespace,
    version,
)
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.objects import Namespace, Object
from webhook.cluster.pages import PAGE
from webhook.cluster.reflector import STEPS_PER_TICK, Backoff, Reflector

pytestmark = pytest.mark.cluster

NAMESPACES = "/api/v1/namespaces"
# More than any wait of the back-off may sum up to in these tests.
CATCH_UP = 20.0

Labels = dict[str, str]


def labels(namespace: Namespace) -> Labels:
    return namespace.metadata.labels or {}


def connect(kubeconfig: Path, agent: str, timeout: float = 10) -> Connection:
    return Connection(Kubeconfig(str(kubeconfig)), user_agent=agent, timeout=timeout)


def reflect(connection: Connection, **options: Any) -> Reflector[Labels]:
    return Reflector(connection, NAMESPACES, Namespace, labels, **options)


def await_sync(reflector: Reflector[Any]) -> None:
    wait_for(lambda: reflector.synced, CATCH_UP, "the first list")


def test_lists_page_by_page_and_then_only_watches(
    plane: ControlPlane, reader: Path, api: CoreV1Api, many: list[str], agent: str
) -> None:
    connection = connect(reader, agent)
    reflector = reflect(connection)
    with running(connection, reflector.run):
        await_sync(reflector)
        assert set(reflector.items) == names(api)
        for number in range(5):
            label_namespace(api, many[number], page="seen")
        wait_for(lambda: reflector.items[many[4]].get("page"), 5, "the last label")
        pages = -(-len(reflector.items) // PAGE)
        assert pages == 3
        assert verbs(asked(plane, agent)) == {"list": pages, "watch": 1}
    assert all(f"limit={PAGE}" in one.uri for one in asked(plane, agent) if one.verb == "list")


def test_sees_every_change_within_a_second(reader: Path, api: CoreV1Api, agent: str) -> None:
    connection = connect(reader, agent)
    reflector = reflect(connection)
    with running(connection, reflector.run):
        await_sync(reflector)
        create_namespace(api, "changing", env="dev")
        wait_for(lambda: reflector.items.get("changing", {}).get("env") == "dev", 1, "creation")
        label_namespace(api, "changing", env="prod")
        wait_for(lambda: reflector.items["changing"].get("env") == "prod", 1, "a changed label")
        label_namespace(api, "changing", env=None)
        wait_for(lambda: "env" not in reflector.items["changing"], 1, "a removed label")
        remove_namespace(api, "changing")
        wait_for(lambda: "changing" not in reflector.items, 1, "deletion")


def test_tells_only_of_what_is_kept(reader: Path, api: CoreV1Api, agent: str) -> None:
    create_namespace(api, "annotated")
    told: list[str] = []
    connection = connect(reader, agent)
    reflector = reflect(connection)
    reflector.subscribe(told.extend)
    with running(connection, reflector.run):
        await_sync(reflector)
        assert sorted(told) == sorted(reflector.items)
        told.clear()
        api.patch_namespace("annotated", {"metadata": {"annotations": {"note": "not kept"}}})
        label_namespace(api, "annotated", kept="yes")
        wait_for(lambda: reflector.items["annotated"].get("kept"), 5, "the label")
        assert told == ["annotated"]


def test_a_handler_that_fails_stops_nothing(
    reader: Path, api: CoreV1Api, agent: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(keys: Collection[str]) -> None:
        raise RuntimeError("handler")

    told: list[str] = []
    connection = connect(reader, agent)
    reflector = reflect(connection)
    reflector.subscribe(fail)
    reflector.subscribe(told.extend)
    with running(connection, reflector.run):
        await_sync(reflector)
        create_namespace(api, "handled")
        wait_for(lambda: "handled" in told, 5, "the other handler")
    assert "a handler failed on 1 changes" in caplog.text


def test_what_cannot_be_kept_is_met_again_only_while_it_is_there(
    reader: Path, api: CoreV1Api, agent: str, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse_poison(namespace: Namespace) -> Labels:
        if "poison" in labels(namespace):
            raise ValueError("poison")
        return labels(namespace)

    create_namespace(api, "victim")
    connection = connect(reader, agent)
    reflector = Reflector(connection, NAMESPACES, Namespace, refuse_poison)
    with running(connection, reflector.run):
        await_sync(reflector)
        label_namespace(api, "victim", poison="yes")
        wait_for(lambda: reflector.failure == "poison", 5, "the failure")
        assert "victim" in reflector.items
        label_namespace(api, "victim", poison=None, after="yes")
        wait_for(lambda: reflector.items["victim"].get("after"), CATCH_UP, "the recovery")
        wait_for(lambda: not reflector.failure, 5, "a watch again")
    assert "ValueError: poison" in caplog.text


@pytest.mark.usefixtures("many")
def test_restart_of_the_api_server(
    plane: ControlPlane, api: CoreV1Api, behind: Path, middlebox: Middlebox, agent: str
) -> None:
    create_namespace(api, "survivor", state="before")
    connection = connect(behind, agent)
    reflector = reflect(connection)
    with running(connection, reflector.run):
        await_sync(reflector)
        before, position = middlebox.accepted, plane.audit_position()
        plane.stop_apiserver()
        wait_for(lambda: reflector.failure, 5, "the failure to be seen")
        assert reflector.items["survivor"]["state"] == "before"
        assert f"https://127.0.0.1:{middlebox.port}" in reflector.failure
        plane.start_apiserver()
        label_namespace(api, "survivor", state="after")
        wait_for(lambda: reflector.items["survivor"]["state"] == "after", CATCH_UP, "the change")
        wait_for(lambda: not reflector.failure, 5, "the end of the failure")
        assert reflector.synced
        assert middlebox.accepted - before < 20
        pages = -(-len(reflector.items) // PAGE)
        assert verbs(asked(plane, agent, position)).get("list", 0) <= 2 * pages
        assert verbs(asked(plane, agent, position))["watch"] < 10


@pytest.mark.usefixtures("many")
def test_lists_again_when_the_history_is_gone(
    plane: ControlPlane, api: CoreV1Api, behind: Path, middlebox: Middlebox, agent: str
) -> None:
    for name in ("kept", "gone", "altered"):
        create_namespace(api, name)
    told: list[str] = []
    connection = connect(behind, agent)
    reflector = reflect(connection)
    reflector.subscribe(told.extend)
    with running(connection, reflector.run):
        await_sync(reflector)
        # What it tries next waits in the silence, so that no back-off makes the test slow.
        middlebox.silence()
        middlebox.drop()
        told.clear()
        remove_namespace(api, "gone")
        label_namespace(api, "altered", state="altered")
        create_namespace(api, "added")
        # Its new watch cache begins after these changes, so our resourceVersion is too old.
        plane.restart_apiserver()
        position = plane.audit_position()
        old = reflector.items
        middlebox.relay()
        wait_for(lambda: "added" in reflector.items, CATCH_UP, "the new list")
        assert set(reflector.items) == names(api)
        assert reflector.items is not old
        wait_for(lambda: sorted(told) == ["added", "altered", "gone"], 1, "exactly what changed")
        wait_for(lambda: not reflector.failure, 5, "a watch again")
        pages = -(-len(reflector.items) // PAGE)
        # A watch that is told 410, the pages, and the watch from there on.
        assert verbs(asked(plane, agent, position)) == {"list": pages, "watch": 2}


def test_starts_before_the_api_server_can_be_reached(
    behind: Path, middlebox: Middlebox, agent: str
) -> None:
    middlebox.cut()
    connection = connect(behind, agent)
    reflector = reflect(connection)
    with running(connection, reflector.run):
        wait_for(lambda: reflector.failure, 5, "a failure")
        assert not reflector.synced
        assert not reflector.settled
        assert reflector.last_progress is None
        middlebox.relay()
        await_sync(reflector)


def test_notices_a_network_that_falls_silent(
    api: CoreV1Api, behind: Path, middlebox: Middlebox, agent: str
) -> None:
    connection = connect(behind, agent, timeout=0.5)
    reflector = reflect(connection, watch_seconds=(2, 2))
    with running(connection, reflector.run):
        await_sync(reflector)
        middlebox.silence()
        create_namespace(api, "unheard")
        wait_for(lambda: "no answer in time" in reflector.failure, 10, "the end of patience")
        assert "unheard" not in reflector.items
        middlebox.relay()
        wait_for(lambda: "unheard" in reflector.items, CATCH_UP, "the missed event")


def test_bookmarks_carry_on_without_events(
    plane: ControlPlane, reader: Path, api: CoreV1Api, agent: str
) -> None:
    connection = connect(reader, agent)
    # The API server sends a bookmark two seconds before the end of a watch.
    reflector = reflect(connection, params={"labelSelector": "no=such"}, watch_seconds=(5, 5))
    with running(connection, reflector.run):
        await_sync(reflector)
        start = int(reflector.resource_version)
        others = int(create_namespace(api, "elsewhere"))
        wait_for(lambda: int(reflector.resource_version) >= others > start, 8, "a bookmark")
        assert reflector.items == {}
        assert verbs(asked(plane, agent)) == {"list": 1, "watch": 1}


def test_steady_state_is_one_watch_after_the_other(
    plane: ControlPlane, reader: Path, agent: str
) -> None:
    connection = connect(reader, agent)
    reflector = reflect(connection, params={"labelSelector": "no=such"}, watch_seconds=(2, 2))

    def watches() -> list[float]:
        return [one.at.timestamp() for one in asked(plane, agent) if one.verb == "watch"]

    with running(connection, reflector.run):
        wait_for(lambda: len(watches()) == 4, 15, "four watches")
        assert verbs(asked(plane, agent)) == {"list": 1, "watch": 4}
    starts = watches()
    assert all(later - earlier >= 2 for earlier, later in pairwise(starts))


@pytest.mark.parametrize("moment", ["connecting", "listing", "watching"])
def test_ends_at_once_while_the_network_is_silent(
    behind: Path, middlebox: Middlebox, agent: str, moment: str
) -> None:
    connection = connect(behind, agent)
    reflector = reflect(connection)
    reached = {
        "connecting": lambda: middlebox.accepted,
        "listing": lambda: reflector.last_progress,
        "watching": lambda: reflector.synced,
    }
    with running(connection, reflector.run):
        wait_for(reached[moment], 5, moment)
        middlebox.silence()
        started = time.monotonic()
    # Not after the 30 seconds that TLS would wait for the peer to say goodbye.
    assert time.monotonic() - started < 2


def test_very_long_lines(plane: ControlPlane, api: CoreV1Api, agent: str) -> None:
    connection = connect(plane.kubeconfig, agent)
    path = "/api/v1/namespaces/default/configmaps"
    reflector = Reflector(connection, path, Object, lambda found: found.metadata.resourceVersion)
    with running(connection, reflector.run):
        await_sync(reflector)
        # Go writes every "<" as six characters, so one MB of them is a line of six MB.
        body = V1ConfigMap(metadata=V1ObjectMeta(name="long"), data={"text": "<" * 1_000_000})
        made = version(api.create_namespaced_config_map("default", body))
        wait_for(lambda: reflector.items.get("default/long") == made, 5, "the long event")
        assert verbs(asked(plane, agent)) == {"list": 1, "watch": 1}
    api.delete_namespaced_config_map("long", "default")


def test_work_per_tick_of_the_loop_is_bounded(
    api: CoreV1Api, behind: Path, middlebox: Middlebox, agent: str, many: list[str]
) -> None:
    done, most = 0, 0

    def count(namespace: Namespace) -> Labels:
        nonlocal done
        done += 1
        return labels(namespace)

    async def tick() -> None:
        nonlocal done, most
        while True:
            most, done = max(most, done), 0
            await asyncio.sleep(0)

    connection = connect(behind, agent)
    reflector = Reflector(connection, NAMESPACES, Namespace, count)
    with running(connection, reflector.run, tick):
        await_sync(reflector)
        assert 10 < most <= STEPS_PER_TICK
        most = 0
        middlebox.cut()
        for name in many[:200]:
            label_namespace(api, name, burst="yes")
        middlebox.relay()
        last = many[199]
        wait_for(lambda: reflector.items[last].get("burst"), CATCH_UP, "the last of the burst")
        assert 0 < most <= STEPS_PER_TICK


def test_back_off_grows_to_half_a_minute_with_full_jitter() -> None:
    limits = [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    rounds = []
    backoff = Backoff()
    for _ in range(300):
        rounds.append([backoff.next() for _ in limits])
        backoff.reset()
    for limit, waits in zip(limits, zip(*rounds, strict=True), strict=True):
        assert 0 <= min(waits) < 0.1 * limit
        assert 0.9 * limit < max(waits) <= limit
