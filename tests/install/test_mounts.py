"""The kubelet's way of writing: a reader sees one generation or the next, never a mixture."""

from pathlib import Path

from tests.install.mounts import Mount


def read(folder: Path) -> dict[str, bytes]:
    """As a program in the container sees it: dot files are the kubelet's own."""
    return {one.name: one.read_bytes() for one in folder.iterdir() if not one.name.startswith(".")}


def test_content_is_swapped_by_one_rename(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "tls")
    assert read(mount.folder) == {}
    mount.write({"tls.crt": b"1", "tls.key": b"1"})
    first = (mount.folder / "..data").resolve()
    assert (mount.folder / "tls.crt").resolve() == first / "tls.crt"
    mount.write({"tls.crt": b"2", "ca.crt": b"2"})
    assert read(mount.folder) == {"tls.crt": b"2", "ca.crt": b"2"}
    assert (mount.folder / "..data").resolve() != first
    assert not first.exists()


def test_the_same_content_is_not_written_again(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "tls")
    mount.write({"tls.crt": b"1"})
    before = (mount.folder / "..data").resolve()
    mount.write({"tls.crt": b"1"})
    assert (mount.folder / "..data").resolve() == before
