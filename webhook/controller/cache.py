"""What the controller knows of namespaces, their policies and the pods that wait in them.

Reads only. Says which namespaces something happened in, never what: whoever is told looks here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from policies.baseline.objects import Observed
from webhook.cluster.connection import Connection
from webhook.cluster.reflector import Reflector
from webhook.controller.views import (
    Known,
    StoredNamespace,
    StoredPod,
    StoredPolicy,
    Waiting,
    keep_namespace,
    keep_pod,
    keep_policy,
)

V = TypeVar("V")


class ByNamespace(Generic[V]):
    """What a reflector has, namespace by namespace and by name; what it keeps as None is not."""

    def __init__(self, reflector: Reflector[V | None]) -> None:
        self._reflector = reflector
        self._found: dict[str, dict[str, V]] = {}
        reflector.subscribe(self._changed)

    def of(self, namespace: str) -> Mapping[str, V]:
        return self._found.get(namespace, {})

    def _changed(self, keys: Collection[str]) -> None:
        for key in keys:
            namespace, _, name = key.partition("/")
            found = self._reflector.items.get(key)
            if found is not None:
                self._found.setdefault(namespace, {})[name] = found
            elif namespace in self._found:
                self._found[namespace].pop(name, None)
                if not self._found[namespace]:
                    del self._found[namespace]


class Cache:
    """Copies that `run` keeps up to date; usable from the start.

    touched: told the names of namespaces that something has happened in.
    """

    def __init__(self, connection: Connection, touched: Callable[[Collection[str]], None]) -> None:
        self.namespaces: Reflector[Known] = Reflector(
            connection, "/api/v1/namespaces", StoredNamespace, keep_namespace
        )
        self._policies: Reflector[Observed | None] = Reflector(
            connection, "/apis/networking.k8s.io/v1/networkpolicies", StoredPolicy, keep_policy
        )
        # Nobody can bind a pod that has a gate, so those that are bound need not be known.
        self._pods: Reflector[Waiting | None] = Reflector(
            connection,
            "/api/v1/pods",
            StoredPod,
            keep_pod,
            params={"fieldSelector": "spec.nodeName="},
        )
        self._policies_of = ByNamespace(self._policies)
        self._pods_of = ByNamespace(self._pods)
        self.sent_statuses, self.sent_policies, self.sent_releases = Sent(), Sent(), Sent()
        self.namespaces.subscribe(self.sent_statuses.arrived)
        self._policies.subscribe(self.sent_policies.arrived)
        self._pods.subscribe(self.sent_releases.arrived)
        for one in self._reflectors:
            one.subscribe(lambda keys: touched({key.partition("/")[0] for key in keys}))

    def policies(self, namespace: str) -> Mapping[str, Observed]:
        """By name."""
        return self._policies_of.of(namespace)

    def waiting(self, namespace: str) -> Mapping[str, Waiting]:
        """Pods behind our gate, by name."""
        return self._pods_of.of(namespace)

    @property
    def synced(self) -> bool:
        """All three have been listed once. Stays true."""
        return all(one.synced for one in self._reflectors)

    @property
    def failing(self) -> int:
        """How many of them cannot be followed at present."""
        return sum(bool(one.failure) for one in self._reflectors)

    @property
    def _reflectors(self) -> tuple[Reflector[Any], ...]:
        return (self.namespaces, self._policies, self._pods)

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        async with asyncio.TaskGroup() as group:
            for one in self._reflectors:
                group.create_task(one.run())


class Sent:
    """What was written and has not come back by a watch yet: it would be written twice.

    A watch may be late or broken, and what was written may have changed nothing: after `PATIENCE`
    seconds it counts as never sent.
    """

    PATIENCE = 5.0

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    @contextmanager
    def sending(self, key: str) -> Iterator[None]:
        """Within the block, ``name`` or ``namespace/name`` is written, unless that fails.

        The watch may be faster than the answer to what was written.
        """
        self._until[key] = time.monotonic() + self.PATIENCE
        try:
            yield
        except BaseException:
            self._until.pop(key, None)
            raise

    def waits(self, key: str) -> bool:
        until = self._until.get(key)
        if until is None or time.monotonic() < until:
            return until is not None
        del self._until[key]
        return False

    def arrived(self, keys: Collection[str]) -> None:
        for key in keys:
            self._until.pop(key, None)
