"""Clients that never stop: writes through the API server, and handshakes as it does them.

A review that fails fails the write, since the configurations say so; no client tries again.
"""

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.controller.api import Api
from tests.controlplane.wait import wait_for
from tests.install.installed import KINDS, Installed
from tests.install.pods import SERVICE, Pod
from webhook.probe import BusyError, NotProvenError, Peer, prove

SERVICES = "/api/v1/namespaces/default/services?dryRun=All"
SECONDS = 30.0


@dataclass
class Traffic:
    """What was done so far, and what went wrong."""

    writes: int = 0
    handshakes: int = 0
    failures: list[str] = field(default_factory=list)

    def more(self) -> None:
        """Wait until five of each have been done after now."""
        wanted = self.writes + 5, self.handshakes + 5
        wait_for(
            lambda: bool(self.failures) or (self.writes, self.handshakes) >= wanted, SECONDS, "more"
        )


@contextmanager
def traffic(installed: Installed, servers: list[Pod]) -> Iterator[Traffic]:
    """Until the block ends: violations that must be denied and harmless objects that must not,
    and handshakes with every server, verified with every bundle that is live."""
    found, ended = Traffic(), threading.Event()

    def write() -> None:
        api = Api(installed.plane, installed.plane.kubeconfig)
        while not ended.is_set():
            _write(api, found, violating=found.writes % 2 == 0)
        api.close()

    def shake() -> None:
        while not ended.is_set():
            _shake(installed, servers, found)

    threads = [threading.Thread(target=one) for one in (write, shake)]
    for one in threads:
        one.start()
    try:
        yield found
        found.more()
    finally:
        ended.set()
        for one in threads:
            one.join()
    assert found.failures == []


def _write(api: Api, found: Traffic, *, violating: bool) -> None:
    spec = {"ports": [{"port": 80}], **({"type": "NodePort"} if violating else {})}
    body = {"metadata": {"generateName": "traffic-"}, "spec": spec}
    try:
        api.create(SERVICES, body)
    except httpx.HTTPStatusError as error:
        said = error.response.text
        if not violating or "node-port" not in said:
            found.failures.append(said)
    else:
        if violating:
            found.failures.append("a violation was admitted")
    found.writes += 1


def _shake(installed: Installed, servers: list[Pod], found: Traffic) -> None:
    name = f"{SERVICE}.{installed.pods.namespace}.svc"
    for kind in KINDS:
        for one in installed.webhooks(kind):
            bundle = base64.b64decode(one["clientConfig"]["caBundle"])
            for server in servers:
                try:
                    asyncio.run(prove(Peer(installed.pods.address, server.port, name), bundle))
                except BusyError:
                    continue
                except NotProvenError as error:
                    found.failures.append(f"{kind}, {server.name}: {error}")
                found.handshakes += 1
