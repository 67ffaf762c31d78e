"""Documents, duplicates, anchors, lines, and text that must not hurt."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.config.chunks import chunks
from webhook.config.yamlbuilder import DEEPEST
from webhook.config.yamltext import decode, documents


def messages(text: str) -> list[str]:
    found = documents(text)
    return [str(problem) for one in found for problem in (*one.problems, *one.repeated)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("# nothing\n", []),
        ("---\n---\n# nothing\n---\n", []),
        ("a: 1\n---\nb: 2\n", [{"a": 1}, {"b": 2}]),
        ("--- {a: 1}\n--- # two\nb: 2\n", [{"a": 1}, {"b": 2}]),
        ("%YAML 1.1\n---\na: 1\n...\n---\nb: 2\n", [{"a": 1}, {"b": 2}]),
        ("a: 1\r\n---\r\nb: 2\r\n", [{"a": 1}, {"b": 2}]),
        ("a: |\n  ---\n  x\n", [{"a": "---\nx\n"}]),
        ("a: ---\n", [{"a": "---"}]),
        ("null\n", [None]),
        ('{"a": 1}', [{"a": 1}]),
        ('{\n\t"a": "\\ud83d\\ude00"\n}', [{"a": "😀"}]),
        ('---\n{"a": 1} {"b": 2}\n---\n{"c": 3}', [{"a": 1}, {"b": 2}, {"c": 3}]),
        ('{"a": 1} {"b": 2}\n{"c": "\\/"}', [{"a": 1}, {"b": 2}, {"c": "/"}]),
    ],
)
def test_a_text_is_split_into_its_documents(text: str, values: list[object]) -> None:
    found = documents(text)
    assert [document.value for document in found] == values
    assert [document.problems for document in found] == [()] * len(values)


def test_one_broken_document_leaves_the_others_readable() -> None:
    first, broken, last = documents("a: 1\n---\nb: [1,\n---\nc: 3\n")
    assert (first.value, broken.value, last.value) == ({"a": 1}, None, {"c": 3})
    assert broken.problems[0].line == 3


def test_every_duplicate_key_is_reported_with_its_path() -> None:
    text = "a: 1\nb:\n- x: 1\n  x: 2\n  'x': 3\na: 2\n"
    assert messages(text) == [
        "line 4: b[0].x: is set twice, first on line 3",
        "line 5: b[0].x: is set twice, first on line 3",
        "line 6: a: is set twice, first on line 1",
    ]


def test_keys_that_become_the_same_text_are_duplicates() -> None:
    assert messages("1: a\n'1': b\n") == ["line 2: 1: is set twice, first on line 1"]
    assert messages('{"a": "\\ud83d\\ude00", "b": {"c": 1, "c": 2}}') == ["line 1: c: is set twice"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<<: {x: 1}\nz: 2\n", {"x": 1, "z": 2}),
        ("<<: {x: 1}\nx: 2\n", {"x": 2}),
        ("x: 2\n<<: {x: 1}\n", {"x": 1}),  # against YAML, but so does kubectl
        ("<<: [{x: 1}, {x: 2, z: 2}]\n", {"x": 1, "z": 2}),
        ("'<<': 1\n", {"<<": 1}),
    ],
)
def test_merge_keys_are_merged_as_kubectl_does(text: str, value: object) -> None:
    assert documents(text)[0].value == value


def test_an_alias_is_the_value_of_its_anchor() -> None:
    (document,) = documents("a: &x {b: [1]}\nc: *x\nd: &x 2\ne: *x\n")
    assert document.value == {"a": {"b": [1]}, "c": {"b": [1]}, "d": 2, "e": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: *x\n", "line 1: anchor 'x' is not defined"),
        ("a: 1\nb: &x [*x]\n", "line 2: anchor 'x' contains itself"),
        ("a: &x 1\n---\nb: *x\n", "line 3: anchor 'x' is not defined"),
        ("[a]: 1\n", "line 1: has a key that is no text"),
        ("a: {{ .Values.b }}\n", "line 1: a: has a key that is no text"),
        ("null: 1\n", "line 1: has a key that is no text"),
        ("<<: 1\n", "line 1: [<<]: must be a mapping"),
        ("a: b: c\n", "line 1: mapping values are not allowed in this context"),
        ("\ta: 1\n", "line 1: while scanning for the next token: found character that cannot"),
        ('{"a": "\\ud83d"}', "line 1: holds half of a surrogate pair"),
        ('{"a": "\\ud83d\\ude00",\nb}', "line 2: Expecting property name"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text: str, message: str) -> None:
    assert messages(text)[0].startswith(message)


@pytest.mark.parametrize("line", ["# a licence of many lines\n", "#" * 80 + "\n", "#\n\n"])
def test_comments_above_a_document_take_no_time(line: str) -> None:
    comments = line * 1000  # with a pattern that goes back, 40 would take hours
    assert [one.value for one in documents(f"{comments}a: 1\n")] == [{"a": 1}]
    assert [one.value for one in documents(f"---\n{comments}---\na: 1\n")] == [{"a": 1}]
    assert documents(comments) == []


def test_aliases_that_expand_without_end_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert messages("\n".join(lines)) == ["line 5: aliases add more than 100,000 values"]


@pytest.mark.parametrize("unit", ["[", '{"a":', "- ", "{? ", "[{a: "])
def test_nesting_without_end_is_refused(unit: str) -> None:
    (message,) = messages(unit * 200_000)
    assert message.endswith(f"is nested more than {DEEPEST} levels deep")


def test_json_that_yaml_cannot_read_may_not_be_nested_without_end_either() -> None:
    (message,) = messages('{"\\ud83d\\ude00": ' + '{"a": ' * 20_000)
    assert message == "line 1: is nested too deep"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 2),
        ("spec.ports[0].nodePort", 9),
        ("spec.ports[0]", 7),
        ("spec.ports[1].port", 10),
        ("spec.ports[7].port", 6),
        ("spec.type.deeper", 5),
        ("spec.absent", 4),
        ("metadata.annotations[example.com/a.b]", 3),
        ("metadata.annotations.example.com/a.b", 3),
    ],
)
def test_the_line_of_a_field_or_of_its_nearest_parent(path: str, line: int) -> None:
    text = """\
# a comment
kind: Service
metadata: {annotations: {example.com/a.b: x}}
spec:
  type: NodePort
  ports:
  - name: a
    # the port
    nodePort: 30080
  - port: 1
"""
    assert documents(text)[0].line_of(path) == line


def test_lines_count_from_the_start_of_the_file() -> None:
    first, second = documents("# a\n\na: 1\n---\n\nb:\n  c: 1\n")
    assert (first.line, second.line, second.line_of("b.c")) == (3, 6, 7)


@pytest.mark.parametrize(
    "data", [b"a: \xc3\xa9", b"\xef\xbb\xbfa: \xc3\xa9", "a: é".encode("utf-16")]
)
def test_bytes_are_utf_8_or_marked_utf_16(data: bytes) -> None:
    assert decode(data) == "a: é"


def test_other_bytes_are_an_error() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        decode(b"a: \xe9")


def place(text: str, path: str) -> tuple[int, int]:
    """Line and column of a field in the last document of a text."""
    line, column, _ = documents(text)[-1].position_of(path)
    return line, column


@pytest.mark.parametrize(
    ("text", "path", "where"),
    [
        ("a:\n  b: 1\n", "a.b", (2, 3)),
        ("a:\n  - 1\n  - b: 2\n", "a[1].b", (3, 5)),
        ("a:\n  - 1\n  - b: 2\n", "a[1]", (3, 5)),
        ("a: {b: 1, c: [x, {d: 2}]}", "a.c[1].d", (1, 19)),
        ("a: {b: 1,\n    c: 2}", "a.c", (2, 5)),
        ("a:\r\n  b: 1\r\n  c: 2\r\n", "a.c", (3, 3)),
        ("\ufeffa: 1\nb: 2\n", "a", (1, 1)),
        ("x: 1\n---\nä: {ö: [1, {b: 2}]}\n", "ä.ö[1].b", (3, 13)),
        ("a: &x\n  b: {c: 1}\nd: *x\n", "d.b.c", (2, 7)),
        ("a: &x {b: 1}\nd: *x\n", "d", (2, 1)),
        ("a: &x\n  b: 1\nd:\n  <<: *x\n  e: 2\n", "d.b", (2, 3)),
        ("a: &x {b: 1}\nd: {<<: [*x, {c: 2}], e: 2}\n", "d.b", (1, 8)),
        ("a: &x {b: 1}\nd: {<<: [*x, {c: 2}], e: 2}\n", "d.c", (2, 15)),
        ("a: &x {b: 1}\nd:\n  <<: *x\n  b: 2\n", "d.b", (4, 3)),
        ('a: "x\n  y"\nb: |\n  z\nc: 1\n', "c", (5, 1)),
        ("a:\tb\nc: \t1\n", "c", (2, 1)),
        ("a: 1 # \u2028\rb: 2\nc: 3\n", "c", (2, 1)),
        ("a: '\u2028'\nc: 3\n", "c", (2, 1)),
        ('{"a": {\n  "b": [1, 2]}}', "a.b[1]", (2, 12)),
        ('{\n\t"a": {\n\t\t"b": "\\/"}}', "a.b", (3, 3)),
        ('{"x": "\\ud83d\\ude00",\n "a": 1} {"a": 2,\n "b": 3}', "a", (2, 11)),
        ('{"x": "\\ud83d\\ude00",\n "a": 1} {"a": "\\/",\n "b": 3}', "b", (3, 2)),
        ('{"\\ud83d\\ude00": {"a": 1}}', "x.y", (1, 1)),
    ],
)
def test_a_field_is_found_at_its_line_and_column(
    text: str, path: str, where: tuple[int, int]
) -> None:
    assert place(text, path) == where


def test_a_document_that_is_too_long_is_told_and_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webhook.config.chunks.LONGEST", 16)
    text = b"a: 1\n---\nb: 1\n" + b"x" * 40 + b"\n---\nc: 1\n"
    found = list(chunks(io.BytesIO(text)))
    assert [(one.line, one.too_long) for one in found] == [(1, False), (2, True), (5, False)]
    assert found[2].data == b"---\nc: 1\n"


@given(
    st.lists(st.sampled_from([b"---", b"a: 1", b"\n", b" ", b"-", b"--- |", b"\r\n"]), max_size=30)
)
def test_chunks_are_the_stream_and_know_their_lines(parts: list[bytes]) -> None:
    text = b"".join(parts)
    found = list(chunks(io.BytesIO(text)))
    assert b"".join(one.data for one in found) == text
    seen = b""
    for one in found:
        assert one.line == seen.count(b"\n") + 1
        seen += one.data
