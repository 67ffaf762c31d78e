"""`netreeve control`: how it starts, hands over and ends."""

from pathlib import Path

import pytest

from tests.controller.control import Control
from tests.controller.protected import Protected, fresh
from tests.controlplane.wait import wait_for
from tests.telemetry.documented import documented, scraped
from webhook.cli import main

HEALTH = ("--health-listen", "127.0.0.1:0")
HANDED_OVER = 8.0
"""Seconds, well below the 15 of a Lease."""


def test_a_kubeconfig_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing")
    assert main(["control", *HEALTH, "--kubeconfig", missing]) == 2
    assert f"the kubeconfig {missing} does not exist" in capsys.readouterr().err


def test_a_configuration_that_cannot_be_used_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gate.yaml"
    config.write_text(
        "apiVersion: netreeve.io/v1alpha1\nkind: GateConfig\nbaseline: {name: none}\n"
    )
    assert main(["control", *HEALTH, "--config", str(config)]) == 2
    assert "no baseline is named 'none'" in capsys.readouterr().err


def test_a_configuration_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing")
    assert main(["control", *HEALTH, "--config", missing]) == 2
    assert f"{missing}: No such file" in capsys.readouterr().err


def test_a_lease_must_have_a_namespace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["control", *HEALTH, "--lease", "name"]) == 2
    assert "must be NAMESPACE/NAME" in capsys.readouterr().err


@pytest.mark.parametrize("options", [("--cert-source", "files"), ("--ca-bundle", "ca.crt")])
def test_a_bundle_in_a_file_belongs_to_files(
    options: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["control", *HEALTH, *options]) == 2
    assert "--cert-source files and --ca-bundle belong together" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [("--cert-overlap", "soon"), ("--cert-source", "vault"), ("--service", "serve")]
)
def test_options_that_make_no_sense_are_usage_errors(
    options: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["control", *HEALTH, *options]) == 2
    assert f"argument {options[0]}" in capsys.readouterr().err


@pytest.mark.cluster
@pytest.mark.slow
def test_an_orderly_end_hands_over(protected: Protected, controller: Control) -> None:
    other = protected.controller()
    other.start()
    assert not other.leads()
    assert "netreeve_namespaces" not in str(other.metrics())
    controller.stop()
    wait_for(other.leads, HANDED_OVER, "the other one to lead")
    (name,) = fresh(1, "handed")
    protected.kubectl("create", "namespace", name)
    protected.await_covered([name])
    metrics = other.metrics()
    assert metrics['netreeve_namespaces{state="covered"}'] >= 1
    assert metrics['netreeve_controller_writes_total{kind="policy",result="success"}'] >= 3
    assert metrics["netreeve_namespace_coverage_duration_seconds_count"] == 1
    listed = documented()
    assert all(listed.get(name) == found for name, found in scraped(other.scrape()).items())
    other.stop()
    protected.forget([name])


@pytest.mark.cluster
@pytest.mark.slow
def test_a_change_that_cannot_be_used_shows_until_it_is_corrected(
    protected: Protected, controller: Control
) -> None:
    def failing() -> float:
        return controller.metrics()["netreeve_config_failing"]

    good = protected.config.read_text()
    assert failing() == 0
    try:
        protected.config.write_text("kind: GateConfig\nbaselin: {}\n")
        wait_for(lambda: failing() == 1, 10, "the controller to find the file wrong")
    finally:
        protected.config.write_text(good)
    wait_for(lambda: failing() == 0, 10, "the controller to take the corrected file")
