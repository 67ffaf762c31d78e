"""Which objects a manifest holds, where they are, and what is said of the rest."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.audit.given import POD, brief, parsed, read_all
from webhook.audit.findings import Unreadable
from webhook.audit.manifests import Manifest
from webhook.audit.sources import Sources


def briefs(text: str | bytes) -> list[str]:
    return [brief(one) for one in parsed(text)]


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
    pod, service, deployment, _ = parsed(LIST)
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
    first, pod, service = parsed(text)
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
    (found,) = parsed(text)
    assert isinstance(found, Manifest)
    assert found.object["spec"] == {"b": [None, {}]}


def test_of_custom_kinds_nobody_knows_which_nulls_the_api_server_drops() -> None:
    """But for those of the metadata, which every kind has alike."""
    text = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\n"
        "metadata: {name: a, labels: {b: null}}\nspec: {c: null}\n"
    )
    (found,) = parsed(text)
    assert isinstance(found, Manifest)
    assert found.object["metadata"] == {"name": "a", "labels": {}}
    assert found.object["spec"] == {"c": None}


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
