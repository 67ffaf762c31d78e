"""No namespace, no rights, no cluster: what is said then."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest

from tests.cli.baseline.given import Run, as_json
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cli import main

pytestmark = pytest.mark.cluster


def test_no_such_namespace(run: Run) -> None:
    name = f"absent-{uuid.uuid4().hex[:6]}"
    assert run("show", name) == (2, "", f"netreeve: there is no namespace '{name}'\n")


def test_no_rights_at_all(run: Run, control_plane: ControlPlane, namespace: str) -> None:
    code, out, err = run("show", namespace, kubeconfig=control_plane.kubeconfig_for("stranger"))
    assert (code, out) == (2, "")
    assert 'User "stranger" cannot get resource "namespaces"' in err


@pytest.mark.usefixtures("dns")
def test_some_rights(run: Run, control_plane: ControlPlane, namespace: str) -> None:
    """What can be read is reported, what cannot is named, and nothing is adopted blindly."""
    group = f"viewers-{namespace}"
    control_plane.kubectl("create", "clusterrolebinding", group, "--clusterrole=view",
                          f"--group={group}")  # fmt: skip
    kubeconfig = control_plane.kubeconfig_for("viewer", (group,))
    wait_for(lambda: run("show", namespace, kubeconfig=kubeconfig)[1], 10, "the rights")
    report = as_json(answer := run("show", namespace, "-o", "json", kubeconfig=kubeconfig))
    assert answer[0] == 2
    assert [one["path"] for one in report["unreadable"]] == [
        "/api/v1/nodes",
        "/apis/coordination.k8s.io/v1/namespaces/netreeve/leases",
    ]
    assert len(report["networkPolicies"]) == 2
    code, _, err = run("adopt", namespace, "--yes", kubeconfig=kubeconfig)
    assert code == 2
    assert "not adopted: what could not be read might be cut off" in err
    control_plane.kubectl("delete", "clusterrolebinding", group)


def test_no_cluster(run: Run, tmp_path: Path, control_plane: ControlPlane) -> None:
    config = json.loads(control_plane.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "config").write_text(json.dumps(config))
    code, out, err = run("show", "default", kubeconfig=tmp_path / "config")
    assert (code, out) == (2, "")
    assert "https://127.0.0.1:9/api/v1/namespaces/default: not reachable" in err
    code, _, err = run("show", "default", kubeconfig=tmp_path / "absent")
    assert code == 2
    assert "does not exist: name one that does" in err


def test_kubeconfig_of_the_environment_and_its_context(
    control_plane: ControlPlane,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    assert main(["baseline", "show", namespace, "--context", "kubernetes-admin"]) in (0, 1)
    assert capsys.readouterr().out.startswith(f"Namespace {namespace}")
    assert main(["baseline", "show", namespace, "--context", "absent"]) == 2
    assert "context absent" in capsys.readouterr().err
    monkeypatch.setenv("KUBECONFIG", f"one{os.pathsep}two")
    assert main(["baseline", "show", namespace]) == 2
    assert "choose one with --kubeconfig" in capsys.readouterr().err
