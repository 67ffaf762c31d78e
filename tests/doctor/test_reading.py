"""Clusters without Netreeve, users who may read little, and API servers that are none."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.doctor import test_checks
from tests.doctor.patient import NAMESPACE, VERSION, Patient, noted
from tests.doctor.sicknesses import SICKNESSES
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.doctor import table
from webhook.doctor.checks import checks
from webhook.doctor.finding import Severity
from webhook.doctor.reading import Asked, Look
from webhook.doctor.report import report
from webhook.doctor.seen import Seen

pytestmark = pytest.mark.cluster
ELSEWHERE = {
    "not-installed": "test_before_the_installation_it_says_what_is_missing",
    "enforcement-unknown": "test_before_the_installation_it_says_what_is_missing",
    "enforcement-note": "test_an_installation_from_deploy_has_nothing_wrong",
    "namespaces-of-the-system": "test_an_installation_from_deploy_has_nothing_wrong",
    "installed-elsewhere": "test_another_namespace_than_its_own_is_told",
    "clock-skew": "test_clocks_and_versions",
    "kubernetes-too-old": "test_clocks_and_versions",
}
"""What no sickness of an installation brings about, and the test that does."""
VIEWER = "system:viewers"


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "webhook", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def look(plane: ControlPlane) -> Seen:
    async def seen() -> Seen:
        async with Connection(Kubeconfig(str(plane.kubeconfig))) as connection:
            return await Look(connection, Asked(NAMESPACE, False, VERSION)).look()

    return asyncio.run(seen())


def test_every_finding_is_brought_about_by_some_test() -> None:
    assert all(name in globals() or name in vars(test_checks) for name in ELSEWHERE.values())
    brought = {one for sickness in SICKNESSES for one in sickness.finds}
    known = {kind.id for check in checks() for kind in check.kinds}
    assert brought | ELSEWHERE.keys() == known
    assert not brought & ELSEWHERE.keys()


def test_before_the_installation_it_says_what_is_missing(control_plane: ControlPlane) -> None:
    config = str(control_plane.kubeconfig)
    said = doctor("--kubeconfig", config, "-n", "nowhere", "-o", "json")
    found = json.loads(said.stdout)
    assert said.returncode == (1 if found["summary"]["error"] else 0)
    assert found["installed"] is False
    ids = {one["id"] for one in found["findings"]}
    assert {"not-installed", "enforcement-unknown"} <= ids <= {
        "not-installed", "enforcement-unknown", "dns-not-found"}  # fmt: skip
    skipped = {one["id"] for one in found["checks"] if one["skipped"]}
    assert {"access", "leader", "coverage", "stage", "proof"} <= skipped


def test_the_summary_counts_the_lines_above_it(control_plane: ControlPlane) -> None:
    out = io.StringIO()
    found = report(look(control_plane))
    table.write(found, out)
    lines = out.getvalue().splitlines()
    ok, skipped = (sum(line.startswith(f"{word} ") for line in lines) for word in ("ok", "-"))
    assert lines[-1].endswith(f"; {ok} checks ok, {skipped} not made")
    assert ok < found.count(Severity.OK)  # some have nothing but notes


def test_another_namespace_than_its_own_is_told(well: Patient) -> None:
    said = doctor("--kubeconfig", str(well.plane.kubeconfig), "-n", "shop", "-o", "json")
    found = {one["id"]: one for one in json.loads(said.stdout)["findings"]}
    assert said.returncode == 1
    assert found["installed-elsewhere"]["remedy"] == "netreeve doctor -n netreeve"
    assert not {"part-missing", "single-endpoint", "no-leader", "certificate-missing"} & set(found)


def test_the_table_fits_and_says_everything(well: Patient) -> None:
    with next(one for one in SICKNESSES if one.name == "selector gone").brings(well):
        said = doctor("--kubeconfig", str(well.plane.kubeconfig))
        asked = doctor("--kubeconfig", str(well.plane.kubeconfig), "-o", "json")
    assert said.returncode == asked.returncode == 1
    lines = said.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert "error   rescue-blocked  validating webhook gate.netreeve.io of 00-netreeve" in lines
    assert "Node registration" in said.stdout
    assert [line for line in lines if line.startswith("ok  certificates")]
    assert "\x1b" not in said.stdout
    found = json.loads(asked.stdout)["findings"]
    first = next(one for one in found if one["id"] == "rescue-blocked")
    assert first.keys() == {
        "id", "check", "severity", "object", "message", "why", "remedy", "details"}  # fmt: skip
    assert "CREATE nodes" in first["details"]


def test_who_may_not_read_everything_is_told_what(well: Patient) -> None:
    role: dict[str, Any] = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "webhook-viewer"},
        "rules": [
            {"apiGroups": ["admissionregistration.k8s.io"], "resources": ["*"], "verbs": ["list"]},
            {"apiGroups": ["", "discovery.k8s.io"], "resources": [
                "namespaces", "services", "endpointslices"], "verbs": ["get", "list"]},
        ],
    }  # fmt: skip
    with well.there(role, bound("webhook-viewer", VIEWER)):
        found = well.examine(kubeconfig=well.plane.kubeconfig_for("vera", (VIEWER,)))
    assert found.exit_code(Severity.ERROR) == 2
    assert {"/api/v1/namespaces/netreeve/secrets/netreeve-tls",
            "/apis/apps/v1/namespaces/netreeve/deployments",
            "/api/v1/nodes"} <= {one.path for one in found.unread}  # fmt: skip
    told = {one.path: one.message for one in found.unread}
    assert told["/api/v1/nodes"] == "you may not list nodes in the whole cluster"
    assert all(one.startswith("you may not ") or " cannot create " in one for one in told.values())
    outcomes = {one.check.id: one for one in found.outcomes}
    assert "certificate could not be read" in outcomes["certificates"].skipped
    assert "tells the network plugin and the DNS could not be read" in outcomes["dns"].skipped
    assert not outcomes["rescue"].skipped
    assert not outcomes["rescue"].findings
    assert "known-bad-refused-by-others" in noted(found)


def test_what_may_not_be_read_takes_nothing_else_away(well: Patient) -> None:
    """Everything is asked at once; the Secret and the nodes alone are refused."""
    readable = {
        "": ["namespaces", "services", "configmaps"], "apps": ["*"], "discovery.k8s.io": ["*"],
        "admissionregistration.k8s.io": ["*"], "coordination.k8s.io": ["*"],
    }  # fmt: skip
    role: dict[str, Any] = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "no-secrets"},
        "rules": [
            *({"apiGroups": [group], "resources": some, "verbs": ["get", "list"]}
              for group, some in readable.items()),
            {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"],
             "verbs": ["create"]},
        ],
    }  # fmt: skip
    with well.there(role, bound("no-secrets", "system:no-secrets")):
        found = well.examine(kubeconfig=well.plane.kubeconfig_for("nora", ("system:no-secrets",)))
    assert {one.resource for one in found.unread} == {"nodes", "secrets"}
    skipped = {one.check.id for one in found.outcomes if one.skipped}
    assert skipped == {"certificates", "dns", "enforcement"}


def bound(role: str, group: str) -> dict[str, Any]:
    """A binding of a ClusterRole to a group."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
    }


def test_without_an_api_server_there_is_one_line(tmp_path: Path) -> None:
    missing = doctor("--kubeconfig", str(tmp_path / "none"))
    assert missing.returncode == 2
    assert "does not exist: name one that does" in missing.stderr
    config = tmp_path / "config"
    config.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "it", "user": {"token": "x"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }))  # fmt: skip
    unreachable = doctor("--kubeconfig", str(config))
    assert unreachable.returncode == 2
    assert "https://127.0.0.1:1/version: not reachable" in unreachable.stderr
    assert "Traceback" not in unreachable.stderr


def test_clocks_and_versions(well: Patient) -> None:
    seen = look(well.plane)
    assert abs(seen.ahead) < 30
    ahead = noted(report(seen._replace(ahead=95.0)))
    assert "is 95 s ahead of that of the API server" in ahead["clock-skew"]
    assert "behind" in noted(report(seen._replace(ahead=-95.0)))["clock-skew"]
    old = seen.served.__class__(seen.served.namespaces, seen.served.versions, (1, 29))
    found = report(seen._replace(served=old, kubernetes="v1.29.3"))
    assert "Kubernetes v1.29.3" in noted(found)["kubernetes-too-old"]
    assert found.exit_code(Severity.ERROR) == 1
    later = noted(report(seen._replace(now=seen.now + timedelta(days=400))))
    assert {"certificate-bad", "served-certificate-bad", "no-leader"} <= later.keys()
    warned = report(seen._replace(ahead=95.0))
    assert (warned.exit_code(Severity.ERROR), warned.exit_code(Severity.WARNING)) == (0, 1)
