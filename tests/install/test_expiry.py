"""Certificates over the months, with a clock that the test turns, on a real API server."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.plan import certificates, fingerprints, is_issued
from tests.controlplane.cluster import ControlPlane
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.events import Events
from webhook.controller.certificates.loop import OVERLAP_SECONDS, Certificates, Settings
from webhook.controller.certificates.wanted import MUTATING, VALIDATING

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SECONDS = 20.0


class Installation:
    """Configurations that are active already, for a kind that exists nowhere, and no server."""

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path) -> None:
        self.plane, self.namespace, self.folder = plane, namespace, folder
        self.now = datetime.now(UTC)
        self.clock = 0.0
        for file, kind in (("validating.yaml", VALIDATING), ("mutating.yaml", MUTATING)):
            wanted = self._configuration(kind)
            (folder / file).write_text(json.dumps(wanted))
            plane.kubectl("create", "-f", "-", stdin=json.dumps(wanted))

    def _configuration(self, kind: str) -> dict[str, object]:
        service = {"name": "netreeve-serve", "namespace": self.namespace, "path": "/validate"}
        webhook = {
            "name": "gate.netreeve.io",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": {"service": service},
            "rules": [{"apiGroups": ["netreeve.io"], "apiVersions": ["*"], "resources": ["none"],
                       "operations": ["CREATE"]}],
        }  # fmt: skip
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": self.namespace},
            "webhooks": [webhook],
        }

    def pass_time(self, days: timedelta) -> None:
        self.now += days
        self.clock += days.total_seconds()

    @asynccontextmanager
    async def controlled(self) -> AsyncIterator[Certificates]:
        """A controller that leads, and looks at the clock all the time."""
        settings = Settings(self.folder, (self.namespace, "netreeve-serve"), look=0.1)
        async with Connection(Kubeconfig(str(self.plane.kubeconfig))) as connection:
            one = Certificates(
                connection,
                settings,
                Events(connection, "test"),
                now=lambda: self.now,
                clock=lambda: self.clock,
            )
            work = [asyncio.create_task(one.follow()), asyncio.create_task(one.lead())]
            try:
                yield one
            finally:
                for task in work:
                    task.cancel()
                await asyncio.gather(*work, return_exceptions=True)

    def secret(self, name: str) -> dict[str, bytes]:
        said = self.plane.kubectl("get", "secret", name, "-n", self.namespace, "-o", "json",
                                  "--ignore-not-found").stdout  # fmt: skip
        data = json.loads(said).get("data", {}) if said else {}
        return {key: base64.b64decode(value) for key, value in data.items()}

    @property
    def authority(self) -> bytes:
        return self.secret("netreeve-ca").get("ca.crt", b"")

    @property
    def leaf(self) -> bytes:
        return self.secret("netreeve-tls").get("tls.crt", b"")

    @property
    def carried(self) -> int:
        """How many authorities both configurations carry."""
        found = [
            self.plane.kubectl("get", f"{kind}webhookconfiguration", self.namespace, "-o",
                               "jsonpath={.webhooks[0].clientConfig.caBundle}").stdout
            for kind in ("validating", "mutating")
        ]  # fmt: skip
        first, second = (fingerprints(base64.b64decode(one)) for one in found)
        return len(first) if first == second else 0


async def until(holds: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(SECONDS):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.05)
    assert holds(), what


@pytest.fixture
def installation(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Installation:
    return Installation(control_plane, namespace, tmp_path)


async def live_through(one: Installation) -> None:
    async with one.controlled() as certificates_:
        await until(lambda: bool(one.leaf) and one.carried == 1, "a certificate, and it is trusted")
        first, authority = one.leaf, one.authority

        one.pass_time(61 * DAY)
        await until(lambda: one.leaf != first, "a renewal after two months")
        assert one.authority == authority
        assert is_issued(one.leaf, authority)

        one.now += 185 * DAY
        await until(lambda: one.carried == 2, "a new CA after eight months")
        second = one.leaf
        assert is_issued(second, authority), "it signs before everybody has heard of it"
        one.clock += OVERLAP_SECONDS
        await until(lambda: is_issued(one.leaf, one.authority), "its certificate")
        assert one.authority != authority
        assert "old-1.key" not in one.secret("netreeve-ca")

        before = one.secret("netreeve-ca"), one.secret("netreeve-tls")
        for offset in (-HOUR, 2 * HOUR, -HOUR):
            one.now += offset
            seen = certificates_.report
            await until(lambda last=seen: certificates_.report is not last, "a look")  # type: ignore[misc]
        assert (one.secret("netreeve-ca"), one.secret("netreeve-tls")) == before

        one.pass_time(92 * DAY)
        await until(lambda: one.carried == 1, "the end of the CA before")
        assert list(one.secret("netreeve-ca")) == ["ca.crt", "ca.key"]
    one.now += 500 * DAY
    assert certificates(one.leaf)[0].not_valid_after_utc < one.now
    async with one.controlled():
        await until(
            lambda: (
                bool(certificates(one.leaf))
                and certificates(one.leaf)[0].not_valid_after_utc > one.now
                and one.carried == 1
            ),
            "everything anew after a controller that was away for too long",
        )
        assert is_issued(one.leaf, one.authority)


def test_certificates_are_replaced_in_time(installation: Installation) -> None:
    asyncio.run(live_through(installation))
