"""Files, folders, charts and standard input: what is read, in which order, how often."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audit.given import POD, brief, read_all
from webhook.audit.manifests import Stranger
from webhook.audit.sources import Sources


def test_folders_are_read_in_order_and_may_hold_other_yaml(tmp_path: Path) -> None:
    for name, text in {
        "b/2.yml": POD,
        "b/1.json": '{"apiVersion": "v1", "kind": "Pod"}',
        "a.yaml": POD + "---\nreplicaCount: 1\n",
        "list.yaml": "- 1\n",
        "half.yaml": "kind: Pod\n",
        "README.md": "# {{",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert read_all(tmp_path) == [
        "a.yaml:1: v1 Pod a",
        "a.yaml:5: stranger",
        "1.json:1: v1 Pod None",
        "2.yml:1: v1 Pod a",
        "half.yaml:1: must have apiVersion and kind: apiVersion is missing",
        "list.yaml:1: stranger",
    ]


def test_a_file_that_is_named_must_be_a_manifest_whatever_its_ending(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("replicaCount: 1\n")
    (tmp_path / "pod.txt").write_text(POD)
    assert read_all(tmp_path / "values.yaml", tmp_path / "pod.txt") == [
        "values.yaml:1: must have apiVersion and kind: apiVersion is missing",
        "pod.txt:1: v1 Pod a",
    ]


def test_a_chart_is_one_problem_and_the_rest_of_the_folder_is_judged(tmp_path: Path) -> None:
    """Dozens of templates would each be several, and those that are YAML say half of the truth."""
    files = {
        "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        "chart/values.yaml": "a: b\n",
        "chart/templates/web.yaml": "{{- if .Values.a }}\n" + POD,
        "chart/templates/plain.yaml": POD,
        "chart/charts/db/Chart.yaml": "apiVersion: v2\n",
        "chart/files/x.yaml": "{{ x }}\n",
        "chart/crds/crd.yaml": POD,
        "web.yaml": POD,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    command = f"helm template NAME {tmp_path / 'chart'} | netreeve check -"
    assert read_all(tmp_path) == [
        f"chart:None: is a Helm chart; render it first: {command}",
        "crd.yaml:1: v1 Pod a",
        "values.yaml:1: stranger",
        "web.yaml:1: v1 Pod a",
    ]


def test_an_empty_folder_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    assert read_all(tmp_path, tmp_path / "absent.yaml") == [
        f"{tmp_path.name}:None: holds no file that ends in .yaml, .yml, .json",
        "absent.yaml:None: No such file or directory",
    ]


def test_standard_input_is_a_dash() -> None:
    assert read_all("-", stdin=POD.encode()) == ["-:1: v1 Pod a"]
    assert read_all("-", stdin=b"# nothing was rendered\n---\n") == []
    (empty,) = read_all("-", stdin=b"\n")
    assert empty.startswith("-:None: standard input is empty")


def test_standard_input_may_be_closed() -> None:
    (found,) = Sources(["-"], None)
    assert brief(found) == "-:None: standard input is closed"


@pytest.fixture
def nobody() -> Iterator[None]:
    """The rights of an ordinary user: root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that all may read with one in it that nobody may."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "a.yaml").write_text(POD)
        (folder / "closed").mkdir(mode=0)
        yield folder
        (folder / "closed").chmod(0o700)


def test_a_folder_that_may_not_be_read_is_an_error(closed_folder: Path, nobody: None) -> None:
    """It could hold anything, and what is not judged must not look clean."""
    assert read_all(closed_folder) == ["closed:None: Permission denied", "a.yaml:1: v1 Pod a"]


def test_a_file_name_may_be_any_bytes(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml")
    Path(path).write_text(POD)
    assert read_all(path) == ["\\udcff.yaml:1: v1 Pod a"]
    assert read_all(tmp_path) == ["\\udcff.yaml:1: v1 Pod a"]


def test_a_link_in_a_circle_ends(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert read_all(tmp_path) == ["a.yaml:1: v1 Pod a"]


def test_a_stranger_is_known_by_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("# values\nname: x\n")
    assert list(Sources([str(tmp_path)], None)) == [Stranger(f"{tmp_path}/values.yaml", 2)]


def test_sources_are_read_as_often_as_it_takes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(POD,))
    writer.start()
    with Sources([str(pipe), "-"], io.BytesIO(POD.encode())) as sources:
        first, second = list(map(brief, sources)), list(map(brief, sources))
    writer.join()
    assert first == second == ["pipe:1: v1 Pod a", "-:1: v1 Pod a"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("kind: Namespace", True),
        ('kind: "Name\\x73pace"', True),
        ('kind: "Name\\\n  space"', True),
        ("kind: !!binary TmFtZXNwYWNl", True),
        ("x: &x Namespace\nkind: *x", True),
        ("kind: List\nitems: [{apiVersion: v1, kind: Namespace}]", True),
        ("kind: Service\nspec: {type: NodePort}", False),
    ],
)
def test_what_mentions_a_word_is_found_however_it_is_written(text: str, found: bool) -> None:
    with Sources(["-"], io.BytesIO(f"{text}\napiVersion: v1\n".encode())) as sources:
        kinds = [one.kind for one in sources.mentioning("Namespace")]
    assert kinds == (["Namespace"] if found else [])


def test_documents_that_are_no_objects_may_be_skipped_in_named_files(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(f"replicaCount: 1\n---\n{POD}---\nkind: Pod\n")
    with Sources([str(values)], None, lenient=True) as sources:
        found = [brief(one) for one in sources]
    assert found == [
        "values.yaml:1: stranger",
        "values.yaml:3: v1 Pod a",
        "values.yaml:7: must have apiVersion and kind: apiVersion is missing",
    ]


def test_a_folder_as_standard_input_is_an_error(tmp_path: Path) -> None:
    """As in `netreeve check - < deploy`."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    stdin = io.BufferedReader(Unread(descriptor))
    with stdin, Sources(["-"], stdin) as sources:
        assert [brief(one) for one in sources] == ["-:None: Is a directory"]


class Unread(io.RawIOBase):
    """What Python makes of a descriptor whose kind it does not look at."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return os.readv(self._descriptor, [buffer])

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()
