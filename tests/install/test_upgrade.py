"""From one version of the chart to the next, back, and away, by Helm and under traffic."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.helm.build import CHART, output
from tests.helm.render import NAMESPACE, Object, parse
from tests.install.deployed import FULL, PER_SECOND, SOON, Deployed, deployed_cluster

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
ENOUGH = round(PER_SECOND * (20 if FULL else 3))
AT = ("--namespace", NAMESPACE)
LINGER = "lingerSeconds"
STATUS = "services/status"


class Release:
    """The release `netreeve`, and the chart of an earlier version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.earlier = folder / "earlier"
        shutil.copytree(CHART, self.earlier)
        self._without_a_value()
        self._without_a_rule()

    def _without_a_value(self) -> None:
        """A value that the next version has, and needs, came with that."""
        self._edit("Chart.yaml", "version: ", "version: 0.0.9\n")
        self._edit("values.yaml", f"  {LINGER}: ", "")
        self._edit(
            "templates/serve.yaml", f"            - --linger={{{{ .Values.serve.{LINGER}", ""
        )
        grace = "      terminationGracePeriodSeconds: "
        self._edit("templates/serve.yaml", grace, f"{grace}40\n")
        path = self.earlier / "values.schema.json"
        schema = json.loads(path.read_text())
        del schema["properties"]["serve"]["properties"][LINGER]
        path.write_text(json.dumps(schema))

    def _without_a_rule(self) -> None:
        self._edit("files/registration.yaml", f"    - {STATUS}", "")

    def _edit(self, name: str, start: str, line: str) -> None:
        """Put `line` for the only one that begins so."""
        path = self.earlier / name
        lines = path.read_text().splitlines(keepends=True)
        (at,) = (at for at, one in enumerate(lines) if one.startswith(start))
        path.write_text("".join([*lines[:at], line, *lines[at + 1 :]]))

    def helm(self, plane: ControlPlane, *arguments: str | Path) -> str:
        return output(*arguments, *AT, home=self.folder, kubeconfig=plane.kubeconfig)

    def install(self, plane: ControlPlane) -> list[Object]:
        stage = ("--set", "stage=enforce")
        self.helm(plane, "install", "netreeve", self.earlier, "--create-namespace", *stage)
        return self.manifest(plane)

    def manifest(self, plane: ControlPlane) -> list[Object]:
        return parse(self.helm(plane, "get", "manifest", "netreeve"))


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


@pytest.fixture
def deployed(release: Release, tmp_path: Path) -> Iterator[Deployed]:
    with deployed_cluster(tmp_path / "cluster", release.install) as found:
        found.start()
        yield found


def asks_about_status(deployed: Deployed) -> bool:
    """Whether what only the next version sends is sent."""
    rules = [rule for one in deployed.webhooks("validating") for rule in one["rules"]]
    return any(STATUS in rule["resources"] for rule in rules)


def replace_pods(deployed: Deployed, release: Release) -> None:
    """What the Deployments do after Helm has changed them."""
    deployed.rendered = release.manifest(deployed.plane)
    deployed.roll_servers()
    deployed.roll_controllers()


def test_upgrade_downgrade_and_uninstall(deployed: Deployed, release: Release) -> None:
    traffic = deployed.traffic()
    with traffic.flowing() as seen:
        assert not asks_about_status(deployed)
        traffic.await_more(ENOUGH)

        reuse = "--reset-then-reuse-values"
        release.helm(deployed.plane, "upgrade", "netreeve", CHART, reuse)
        replace_pods(deployed, release)
        wait_for(lambda: asks_about_status(deployed), SOON, "the rules of the next version")
        traffic.await_more(ENOUGH)

        release.helm(deployed.plane, "rollback", "netreeve", "1")
        replace_pods(deployed, release)
        wait_for(lambda: not asks_about_status(deployed), SOON, "the rules of the first version")
        traffic.await_more(ENOUGH)
    assert set(seen.violating) == {"denied"}, seen
    assert set(seen.harmless) == {"admitted"}, seen

    traffic = deployed.traffic()
    with traffic.flowing() as seen:
        release.helm(deployed.plane, "uninstall", "netreeve")
        for pod in (*deployed.servers, *deployed.controllers):
            pod.terminate()
        traffic.await_more(ENOUGH)
    assert set(seen.harmless) == {"admitted"}, seen
    assert seen.violating["admitted"], "the gate has gone"
    kept = deployed.kubectl("get", "secrets", "-n", NAMESPACE, "-o", "name").stdout
    for name in ("netreeve-ca", "netreeve-tls", "netreeve-stamp"):
        assert f"secret/{name}" in kept
