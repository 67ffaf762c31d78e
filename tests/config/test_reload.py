"""A configuration file that changes: as a mounted ConfigMap does, and as people make mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.model import Action
from tests.config.given import HEAD
from webhook.config import ConfigError, GateConfig, ruleset
from webhook.config.reload import ConfigFile


def action(config: GateConfig | None) -> Action:
    assert config is not None
    steps = ruleset(config).steps
    return next(step.setting.action for step in steps if step.policy.id == "host-network")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "gate.yaml"
    file.write_text(HEAD)
    return file


def test_an_unchanged_file_gives_nothing_new(path: Path) -> None:
    file = ConfigFile(path)
    assert action(file.read()) is Action.DENY
    assert file.poll() is None
    path.write_text(HEAD)  # another time, the same content
    assert file.poll() is None
    assert file.error is None


def test_a_changed_file_is_given_once(path: Path) -> None:
    file = ConfigFile(path)
    file.read()
    path.write_text(HEAD + "policies: {host-network: {action: Warn}}")
    assert action(file.poll()) is Action.WARN
    assert file.poll() is None


def test_a_config_map_is_swapped_by_a_symbolic_link(tmp_path: Path) -> None:
    """The kubelet writes a new folder and renames a link to it; times and sizes may be equal."""
    for name, word in (("1", "Deny"), ("2", "Warn")):
        (tmp_path / name).mkdir()
        text = f"{HEAD}policies: {{host-network: {{action: {word}}}}}"
        (tmp_path / name / "gate.yaml").write_text(text)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "gate.yaml").symlink_to("..data/gate.yaml")
    file = ConfigFile(tmp_path / "gate.yaml")
    assert action(file.read()) is Action.DENY
    (tmp_path / "..new").symlink_to("2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    assert action(file.poll()) is Action.WARN


def test_a_wrong_file_is_an_error_until_it_is_corrected(path: Path) -> None:
    file = ConfigFile(path)
    file.read()
    path.write_text(HEAD + "profil: strict")
    assert file.poll() is None
    first = file.error
    assert isinstance(first, ConfigError)
    assert f"{path}: line 3: profil" in str(first)
    assert file.poll() is None
    assert file.error is first, "the same content is the same error, to be logged once"
    path.write_text(HEAD + "profil: audit")
    assert file.poll() is None
    assert file.error is not first
    path.write_text(HEAD)
    assert action(file.poll()) is Action.DENY, "back to what it was: the caller is told"
    assert file.error is None


def test_a_missing_file_is_an_error_until_it_is_there_again(path: Path) -> None:
    file = ConfigFile(path)
    file.read()
    path.unlink()
    assert file.poll() is None
    first = file.error
    assert isinstance(first, FileNotFoundError)
    assert file.poll() is None
    assert file.error is first
    path.write_text(HEAD)
    assert action(file.poll()) is Action.DENY
    assert file.error is None


def test_at_the_start_a_wrong_file_raises(path: Path) -> None:
    path.write_text("kind: GateConfig")
    with pytest.raises(ConfigError):
        ConfigFile(path).read()
    with pytest.raises(FileNotFoundError):
        ConfigFile(path.with_name("absent")).read()
