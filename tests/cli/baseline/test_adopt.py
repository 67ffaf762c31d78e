"""A namespace comes under its baseline, and only after asking."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
from pathlib import Path

import pytest

from tests.cli.baseline.given import UNLABELLED_DENY, Run, as_json, forget_lease, labels, lead
from tests.config.given import HEAD
from tests.controlplane.cluster import ControlPlane

pytestmark = pytest.mark.cluster


@pytest.mark.usefixtures("dns")
def test_adopt_sets_the_label_and_nothing_else(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    before = labels(control_plane, namespace)
    code, out, err = run("adopt", namespace, "--yes", "-o", "json")
    assert code == 0
    assert json.loads(out)["adopted"] is True
    assert f"{namespace} is now under default-deny" in err
    assert labels(control_plane, namespace) == {
        **before,
        "netreeve.io/baseline": "default-deny",
    }
    code, _, err = run("adopt", namespace, "--yes")
    assert code == 0
    assert "is under default-deny already" in err


@pytest.mark.usefixtures("dns")
def test_adopt_takes_over_what_an_earlier_baseline_left(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    """Left over until somebody asks for it again."""
    (allow_dns, _) = as_json(run("show", namespace, "-o", "json"))["networkPolicies"]
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(allow_dns["manifest"]))
    assert as_json(run("show", namespace, "-o", "json"))["left"] == ["allow-dns"]
    code, out, _ = run("adopt", namespace, "--yes")
    assert code == 0
    assert "allow-dns     there already" in out
    assert "default-deny  would be added" in out
    assert "Left over" not in out


@pytest.mark.usefixtures("dns")
def test_adopt_takes_the_baseline_that_the_configuration_or_the_option_names(
    run: Run, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    config = tmp_path / "gate.yaml"
    config.write_text(HEAD + "baseline: {baselines: {open: {allow: {anyEgress: true}}}}\n")
    given = ("--yes", "--config", str(config), "--baseline")
    assert run("adopt", namespace, *given, "opne")[0] == 2
    assert run("adopt", namespace, *given, "open")[0] == 0
    assert labels(control_plane, namespace)["netreeve.io/baseline"] == "open"
    code, _, err = run("adopt", namespace, *given, "default-deny")
    assert code == 1
    assert "is under the baseline open" in err


@pytest.mark.usefixtures("dns")
def test_adopt_asks(
    run: Run, control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for said, code in (("\n", 1), ("no\n", 1), ("y\n", 0)):
        ours, theirs = pty.openpty()
        with os.fdopen(theirs, "r") as terminal:
            os.write(ours, said.encode())
            monkeypatch.setattr(sys, "stdin", terminal)
            found, out, err = run("adopt", namespace)
        os.close(ours)
        assert found == code
        assert "What would be cut off" in out
        assert f"Put {namespace} under the baseline default-deny? [y/N]" in err
        assert ("netreeve.io/baseline" in labels(control_plane, namespace)) is (code == 0)


def test_adopt_does_not_guess_without_a_terminal(
    run: Run, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    code, out, err = run("adopt", namespace)
    assert (code, out) == (2, "")
    assert "give --yes" in err


@pytest.mark.usefixtures("dns")
def test_adopt_leaves_the_system_alone(run: Run, control_plane: ControlPlane) -> None:
    code, _, err = run("adopt", "kube-system", "--yes")
    assert code == 1
    assert "not adopted: kube-system gets no baseline: it belongs to the system" in err
    assert "netreeve.io/baseline" not in labels(control_plane, "kube-system")


@pytest.mark.usefixtures("dns")
def test_adopt_stops_at_a_policy_of_the_users_own(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=UNLABELLED_DENY)
    code, out, err = run("adopt", namespace, "--yes")
    assert code == 1
    assert "default-deny  not ours" in out
    assert "apply it under another name, delete default-deny, and adopt again" in err
    assert "netreeve.io/baseline" not in labels(control_plane, namespace)


def test_adopt_stops_where_new_pods_would_wait_for_ever(run: Run, namespace: str) -> None:
    code, _, err = run("adopt", namespace, "--yes")
    assert code == 1
    assert "no DNS was found, so nothing would be generated" in err


@pytest.mark.usefixtures("dns")
@pytest.mark.parametrize(
    ("leader", "state"),
    [
        (("", 0), "stopped"),
        (("one", 90), "stopped"),
        (("one", 30), "running"),
        (("one", -600), "running"),
    ],
)
def test_adopt_needs_a_controller(
    run: Run, control_plane: ControlPlane, namespace: str, leader: tuple[str, float], state: str
) -> None:
    lead(control_plane, *leader)
    report = as_json(answer := run("preview", namespace, "-o", "json"))
    assert (report["controller"]["state"], answer[0]) == (state, int(state == "stopped"))
    code, _, err = run("adopt", namespace, "--yes")
    assert code == int(state == "stopped")
    assert ("not adopted: no controller runs (Lease netreeve/netreeve-control" in err) is bool(code)


@pytest.mark.usefixtures("dns")
def test_adopt_needs_a_controller_that_has_run_at_all(
    run: Run, control_plane: ControlPlane, namespace: str
) -> None:
    forget_lease(control_plane)
    _, out, _ = run("preview", namespace)
    assert "Controller  no controller has run here" in out
    code, _, err = run("adopt", namespace, "--yes")
    assert code == 1
    assert "there is no Lease netreeve/netreeve-control" in err
    lead(control_plane)
    assert run("adopt", namespace, "--yes", "--lease", "elsewhere/control")[0] == 1
    assert "netreeve.io/baseline" not in labels(control_plane, namespace)
