"""What no baseline asks for any more goes by an explicit command only."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.baseline.given import LEASE, UNLABELLED_DENY, Run, as_json, labels
from tests.config.given import HEAD
from tests.controlplane.cluster import ControlPlane
from webhook.audit.baseline.read import Reader
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig

pytestmark = pytest.mark.cluster


@pytest.fixture
def covered(run: Run, control_plane: ControlPlane, namespace: str, shop: str) -> str:
    """A shop with everything that its baseline asks for, and a preset."""
    control_plane.kubectl("label", "namespace", namespace, "netreeve.io/baseline=open")
    return namespace


def configured(folder: Path, baseline: str) -> Path:
    config = folder / "gate.yaml"
    config.write_text(f"{HEAD}baseline: {{baselines: {baseline}}}\n")
    return config


def generate(run: Run, control_plane: ControlPlane, namespace: str, config: Path) -> None:
    """What the controller would write."""
    wanted = as_json(run("show", namespace, "-o", "json", "--config", str(config)))
    for one in wanted["networkPolicies"]:
        control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(one["manifest"]))


def generated(control_plane: ControlPlane, namespace: str) -> set[str]:
    """Names of the policies that are there."""
    found = control_plane.kubectl("get", "networkpolicies", "-n", namespace, "-o", "name").stdout
    return {line.partition("/")[2] for line in found.split()}


def test_remove_deletes_what_a_baseline_dropped_and_nothing_else(
    run: Run, control_plane: ControlPlane, covered: str, tmp_path: Path
) -> None:
    allow = "{open: {allow: {sameNamespace: true, monitoring: {namespaces: [watch]}}}}"
    generate(run, control_plane, covered, configured(tmp_path, allow))
    config = str(configured(tmp_path, "{open: {allow: {monitoring: {namespaces: [watch]}}}}"))
    code, out, _ = run("show", covered, "--config", config)
    assert code == 1
    said = " ".join(out.split())
    assert (
        f"left in place: allow-same-namespace; netreeve baseline remove {covered} deletes" in said
    )
    code, out, err = run("remove", covered, "--yes", "-o", "json", "--config", config)
    assert (code, err) == (0, f"1 NetworkPolicy of {covered} deleted\n")
    removal = json.loads(out)["removal"]
    assert removal["networkPolicies"] == ["allow-same-namespace"]
    assert (removal["label"], removal["opened"]) == (None, [])
    frontend, backend = f"Deployment {covered}/frontend", f"Deployment {covered}/backend"
    cut = {(one["source"], one["target"]) for one in removal["severed"]}
    assert (frontend, backend) in cut
    left = {"allow-dns", "allow-monitoring", "default-deny"}
    assert generated(control_plane, covered) == left
    code, _, err = run("remove", covered, "--yes", "--config", config)
    assert (code, err) == (0, f"nothing is left over in {covered}\n")
    assert generated(control_plane, covered) == left


def test_remove_ends_a_retired_baseline(
    run: Run,
    control_plane: ControlPlane,
    covered: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generate(run, control_plane, covered, configured(tmp_path, "{open: {}}"))
    config = str(configured(tmp_path, "{other: {}}"))
    own = UNLABELLED_DENY.replace("default-deny", "own")
    control_plane.kubectl("apply", "-n", covered, "-f", "-", stdin=own)
    for said, code in (("\n", 1), ("y\n", 0)):
        ours, theirs = pty.openpty()
        with os.fdopen(theirs, "r") as terminal:
            os.write(ours, said.encode())
            monkeypatch.setattr(sys, "stdin", terminal)
            found, out, err = run("remove", covered, "--config", config)
        os.close(ours)
        assert found == code
        assert f"Delete 2 NetworkPolicies and the label of {covered} for good? [y/N]" in err
        words = " ".join(out.split())
        assert "the label netreeve.io/baseline=open of the namespace" in words
        assert "NetworkPolicy default-deny NetworkPolicy allow-dns" in words
        assert f"Deployment {covered}/frontend open to everywhere" in words
        left = {"own"} if code == 0 else {"own", "allow-dns", "default-deny"}
        assert generated(control_plane, covered) == left
    assert "netreeve.io/baseline" not in labels(control_plane, covered)


def test_remove_does_not_guess(
    run: Run, control_plane: ControlPlane, covered: str, tmp_path: Path
) -> None:
    """Without the configuration every baseline would look retired."""
    generate(run, control_plane, covered, configured(tmp_path, "{open: {}}"))
    code, _, err = run("remove", covered, "--yes")
    assert code == 1
    assert f"{covered} is under open, and without the configuration" in err
    assert generated(control_plane, covered) == {"allow-dns", "default-deny"}
    control_plane.kubectl("label", "namespace", covered, "netreeve.io/baseline-")
    assert run("remove", covered, "--yes")[0] == 0
    assert generated(control_plane, covered) == set()


def test_lists_are_read_to_their_end(control_plane: ControlPlane, shop: str) -> None:
    """Page by page as much as at once; other namespaces come and go in between."""

    async def services(page: int) -> set[str]:
        async with Connection(Kubeconfig(str(control_plane.kubeconfig))) as connection:
            found = await Reader(connection, LEASE, datetime.now(UTC), page).traffic()
        return {one.metadata.name for one in found.services if one.metadata.namespace == shop}

    assert asyncio.run(services(1)) == asyncio.run(services(500)) >= {"idle", "db"}
