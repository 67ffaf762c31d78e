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


@pytest.mark.usefixtures("dns")
def test_rights_in_the_namespace_alone(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    """What nobody looked at is not known: neither that there is no DNS, nor what is cut off."""
    control_plane.kubectl("create", "rolebinding", "viewer", "-n", namespace, "--clusterrole=view",
                          "--user=victor")  # fmt: skip
    kubeconfig = control_plane.kubeconfig_for("victor")
    wait_for(lambda: run("show", namespace, kubeconfig=kubeconfig)[1], 10, "the rights")
    for action in ("show", "preview"):
        code, out, _ = run(action, namespace, kubeconfig=kubeconfig)
        words = " ".join(out.split())
        assert code == 2
        assert "no DNS was found" not in words
        assert "no CNI plugin was recognised" not in words
        assert "NotKnown which DNS the cluster has is not known" in words
        assert out.index("Could not be read") < out.index("NotKnown")
        assert out.count("netreeve-baseline-viewer") == 1
        unread = [one for one in out.splitlines() if one.startswith("  you may not list ")]
        assert len({one.split()[4] for one in unread}) == len(unread)
    assert "you may not list services in the whole cluster" in words
    assert "What would be cut off not known: what tells it could not be read" in words
    assert "0 of 0" not in words
    report = as_json(run("preview", namespace, "-o", "json", kubeconfig=kubeconfig))
    assert report["connections"] is None


@pytest.mark.usefixtures("dns")
def test_rights_to_everything_but_network_policies(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    """None of them is missing, then: it is not known."""
    role = f"facts-{namespace}"
    resources = "namespaces,nodes,services,configmaps,daemonsets.apps,leases.coordination.k8s.io,"
    control_plane.kubectl("create", "clusterrole", role, "--verb=get,list",
                          f"--resource={resources}endpointslices.discovery.k8s.io")  # fmt: skip
    control_plane.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}",
                          "--user=fiona")  # fmt: skip
    kubeconfig = control_plane.kubeconfig_for("fiona")
    wait_for(lambda: run("show", namespace, kubeconfig=kubeconfig)[1], 10, "the rights")
    report = as_json(answer := run("show", namespace, "-o", "json", kubeconfig=kubeconfig))
    assert answer[0] == 2
    assert {one["state"] for one in report["networkPolicies"]} == {"not known"}
    assert (report["namespace"]["covered"], report["problems"]) == (None, [])
    assert report["controller"]["state"] != "unknown"
    _, out, _ = run("remove", namespace, "--yes", kubeconfig=kubeconfig)
    assert "nothing is left over" not in out
    control_plane.kubectl("delete", "clusterrolebinding,clusterrole", role)


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
