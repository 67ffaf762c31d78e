"""Where the programs come from; the build itself is what every other test here relies on."""

import os
import shutil
from pathlib import Path

import pytest

from tests.controlplane import build, toolchain


def fake_assets(folder: Path, names: list[str]) -> None:
    """Executables that nobody runs."""
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("")
        (folder / name).chmod(0o755)


def test_given_assets_are_taken_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all five programs there, nothing is built and nothing said."""
    fake_assets(tmp_path / "assets", list(build.PACKAGES))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    said: list[str] = []
    assert {path.parent for path in build.ensure(said.append).values()} == {tmp_path / "assets"}
    assert said == []


def test_what_given_assets_lack_is_named_and_comes_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """envtest has no controller manager and no scheduler."""
    given = ["etcd", "kube-apiserver", "kubectl"]
    fake_assets(tmp_path / "assets", given)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("NETREEVE_CACHE", str(tmp_path / "cache"))
    fake_assets(build.programs_folder(), ["kube-controller-manager", "kube-scheduler"])
    said: list[str] = []
    programs = build.ensure(said.append)
    assert "has no kube-controller-manager, kube-scheduler" in said[0]
    assert len(said) == 1
    assert programs["etcd"].parent == tmp_path / "assets"
    assert programs["kube-scheduler"].parent == build.programs_folder()
    together = build.one_folder(programs)
    assert {path.name for path in together.iterdir()} == set(build.PACKAGES)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"NETREEVE_CACHE": "/own"}, "/own/controlplane"),
        ({"XDG_CACHE_HOME": "/shared"}, "/shared/netreeve/controlplane"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/of/somebody/.cache/netreeve/controlplane"),
        ({}, "/home/of/somebody/.cache/netreeve/controlplane"),
    ],
)
def test_the_cache_is_where_the_user_keeps_caches(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours first, then the desktop's convention, then the home folder."""
    for name in ("NETREEVE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**environment, "HOME": "/home/of/somebody"}.items():
        monkeypatch.setenv(name, value)
    assert str(build.cache_folder()) == expected


def test_a_new_enough_go_is_used_and_an_old_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The go line of go.mod decides; instead of an old one, the wheel of the cache is taken."""
    go_mod = tmp_path / "go.mod"
    go_mod.write_text("module example\n\ngo 1.26.0\n")
    fake = tmp_path / "bin" / "go"
    fake.parent.mkdir()
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.defpath}")
    said: list[str] = []
    for version, taken in {"go1.26.8": True, "go1.27rc1": True, "go1.25.9": False}.items():
        fake.write_text(f"#!{shutil.which('sh')}\necho {version}\n")
        fake.chmod(0o755)
        wheel = toolchain.wheel_folder(tmp_path / "cache") / "go" / "bin" / "go"
        wheel.parent.mkdir(parents=True, exist_ok=True)
        wheel.write_text("")
        found = toolchain.find_go(go_mod, tmp_path / "cache", said.append)
        assert (found == fake) is taken, version
        assert (found == wheel) is not taken, version
    assert said == []


def test_the_environment_of_the_caller_does_not_steer_the_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody who cross-compiles still gets programs for this machine; proxies stay."""
    monkeypatch.setenv("GOOS", "plan9")
    monkeypatch.setenv("GOPROXY", "off")
    environment = toolchain.environment()
    assert "GOOS" not in environment
    assert environment["GOPROXY"] == "off"
    assert environment["GOTOOLCHAIN"] == "local"
