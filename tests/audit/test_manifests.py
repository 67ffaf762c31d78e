"""Which objects a manifest holds, where they are, and what is said of the rest."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from webhook.audit.findings import Unreadable
from webhook.audit.manifests import Input, Manifest, Stranger, parse
from webhook.audit.sources import Sources

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"


def brief(found: Input) -> str:
    """``file:line: what it is`` of one thing that was found, file names without their folder."""
    place = f"{os.path.basename(found.file)}:{found.line}"
    if isinstance(found, Manifest):
        metadata = found.object.get("metadata", {})
        return f"{place}: {found.api_version} {found.kind} {metadata.get('name')}"
    return f"{place}: {found.message}" if isinstance(found, Unreadable) else f"{place}: stranger"


def briefs(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    return [brief(one) for one in parse(data, "m.yaml")]


def read_all(*paths: str | Path, stdin: bytes = b"") -> list[str]:
    with Sources(map(str, paths), io.BytesIO(stdin)) as sources:
        return [brief(one) for one in sources]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("---\n# nothing\n---\n", []),
        (POD, ["m.yaml:1: v1 Pod a"]),
        (f"# a comment\n---\n\n{POD}---\n{POD}", ["m.yaml:4: v1 Pod a", "m.yaml:8: v1 Pod a"]),
        (POD.replace("\n", "\r\n"), ["m.yaml:1: v1 Pod a"]),
        ('{"apiVersion": "v1", "kind": "Pod"}', ["m.yaml:1: v1 Pod None"]),
        (POD.encode("utf-16"), ["m.yaml:1: v1 Pod a"]),
        (b"\xef\xbb\xbf" + POD.encode(), ["m.yaml:1: v1 Pod a"]),
        (
            f"\ufeff{POD}---\r\n\ufeff{POD}",
            ["m.yaml:1: v1 Pod a", "m.yaml:5: v1 Pod a"],
        ),
    ],
)
def test_every_object_is_found_with_its_line(text: str | bytes, found: list[str]) -> None:
    assert briefs(text) == found


LIST = """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: a}
- {apiVersion: v1, kind: ServiceList, items: [{metadata: {name: b}}]}
- apiVersion: v1
  kind: List
  items:
  - {apiVersion: apps/v1, kind: Deployment, metadata: {name: c}}
- 3
"""


def test_lists_are_taken_apart_and_know_where_their_items_are() -> None:
    assert briefs(LIST) == [
        "m.yaml:4: v1 Pod a",
        "m.yaml:7: v1 Service b",
        "m.yaml:11: apps/v1 Deployment c",
        "m.yaml:12: must be a Kubernetes object",
    ]
    pod, service, deployment, _ = parse(LIST.encode(), "m.yaml")
    assert isinstance(pod, Manifest)
    assert isinstance(deployment, Manifest)
    assert pod.position_of("metadata.name")[:2] == (6, 14)
    assert deployment.position_of("spec.template").line == 11
    assert isinstance(service, Manifest)
    assert service.path == "items[1].items[0]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "m.yaml:1: while parsing a flow node: did not find expected node content"),
        ("- a\n", "m.yaml:1: must be a Kubernetes object"),
        ("kind: Pod\n", "m.yaml:1: must have apiVersion and kind: apiVersion is missing"),
        ("apiVersion: v1\n", "m.yaml:1: must have apiVersion and kind: kind is missing"),
        ("apiVersion: v1\nkind: 3\n", "m.yaml:1: must have apiVersion and kind: kind is missing"),
        (b"a: \xe9", "m.yaml:1: is not UTF-8 text"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Values.name }}\n",
            "m.yaml:4: metadata.name: has a key that is no text; it looks like a template: "
            "render it first",
        ),
        (
            "{{- if .Values.on }}\napiVersion: v1\n{{- end }}\n",
            "m.yaml:1: while parsing a flow node: did not find expected node content; it looks "
            "like a template: render it first",
        ),
        (
            'apiVersion: v1\nkind: Pod\nmetadata: {labels: {},\n  name: "x-{{ .Values.x }}"}\n',
            "m.yaml:4: metadata.name: holds a template; render it first",
        ),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text: str | bytes, message: str) -> None:
    assert briefs(text) == [message]


def test_of_a_key_that_is_set_twice_the_last_one_counts_and_the_object_knows() -> None:
    text = f"{POD}---\napiVersion: v1\nkind: List\nitems:\n- {{apiVersion: v1, kind: Pod}}\n" + (
        "- apiVersion: v1\n  kind: Pod\n  kind: Service\n  spec: {type: a}\n  spec: {type: b}\n"
    )
    first, pod, service = parse(text.encode(), "m.yaml")
    assert isinstance(first, Manifest)
    assert isinstance(pod, Manifest)
    assert isinstance(service, Manifest)
    assert (service.kind, service.object["spec"]) == ("Service", {"type": "b"})
    assert service.position_of("spec.type").line == 13
    assert [(one.path, one.line) for one in service.repeated()] == [("kind", 11), ("spec", 13)]
    assert [*first.repeated(), *pod.repeated()] == []


def test_templates_in_other_places_are_text() -> None:
    text = POD + 'spec: {containers: [{args: ["--format={{.Name}}"]}]}\n'
    assert briefs(text) == ["m.yaml:1: v1 Pod a"]


def test_the_rest_of_a_broken_file_is_read() -> None:
    assert briefs(f"{POD}---\na: [\n---\n{POD}") == [
        "m.yaml:1: v1 Pod a",
        "m.yaml:5: while parsing a flow node: did not find expected node content",
        "m.yaml:7: v1 Pod a",
    ]


def test_fields_set_to_null_are_dropped_and_elements_are_not() -> None:
    text = "apiVersion: v1\nkind: Pod\nspec: {a: null, b: [null, {c: null}]}\n"
    (found,) = parse(text.encode(), "m.yaml")
    assert isinstance(found, Manifest)
    assert found.object["spec"] == {"b": [None, {}]}


def test_of_custom_kinds_nobody_knows_which_nulls_the_api_server_drops() -> None:
    """But for those of the metadata, which every kind has alike."""
    text = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\n"
        "metadata: {name: a, labels: {b: null}}\nspec: {c: null}\n"
    )
    (found,) = parse(text.encode(), "m.yaml")
    assert isinstance(found, Manifest)
    assert found.object["metadata"] == {"name": "a", "labels": {}}
    assert found.object["spec"] == {"c": None}


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


def test_bytes_that_are_no_text_spoil_one_document() -> None:
    data = POD.encode() + b"---\na: 1\nb: \xe9\n---\n" + POD.encode()
    assert briefs(data) == [
        "m.yaml:1: v1 Pod a",
        "m.yaml:6: is not UTF-8 text",
        "m.yaml:8: v1 Pod a",
    ]
    assert briefs(b"\xff\xfea") == ["m.yaml:None: is neither UTF-8 nor UTF-16 text"]


def test_an_alias_bomb_spoils_one_document() -> None:
    bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    text = f"{POD}---\n" + "\n".join(bomb) + f"\n---\n{POD}"
    assert briefs(text) == [
        "m.yaml:1: v1 Pod a",
        "m.yaml:9: aliases add more than 100,000 values",
        "m.yaml:18: v1 Pod a",
    ]


def test_files_that_were_put_together_may_each_have_their_mark() -> None:
    assert briefs(b"\xef\xbb\xbf" + POD.encode() + b"---\n" + POD.encode()) == [
        "m.yaml:1: v1 Pod a",
        "m.yaml:5: v1 Pod a",
    ]


HELM = f"""\
---
# Source: shop/templates/web.yaml
{POD}---
# Source: shop/charts/db/templates/db.yaml
a: [
---
{POD}"""


def test_helm_says_which_template_it_has_rendered() -> None:
    assert read_all("-", stdin=HELM.replace("\n", "\r\n").encode()) == [
        "web.yaml:3: v1 Pod a",
        "db.yaml:8: while parsing a flow node: did not find expected node content",
        "-:10: v1 Pod a",
    ]
    with Sources(["-"], io.BytesIO(HELM.encode())) as sources:
        first, second, third = sources
    assert isinstance(first, Manifest)
    assert isinstance(third, Manifest)
    assert isinstance(second, Unreadable)
    assert first.origin == ("shop/templates/web.yaml", "-")
    assert (second.file, second.input) == ("shop/charts/db/templates/db.yaml", "-")
    assert third.origin == ("-", "")


def test_a_file_is_a_better_place_than_the_template_it_names(tmp_path: Path) -> None:
    (tmp_path / "rendered.yaml").write_text(HELM)
    assert read_all(tmp_path / "rendered.yaml")[0] == "rendered.yaml:3: v1 Pod a"


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
