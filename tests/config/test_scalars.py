"""What plain text means: the values were read by sigs.k8s.io/yaml 1.6, the library of kubectl."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.config.yamltext import documents

WORDS: list[tuple[str, Any]] = [
    ("y", True),
    ("Yes", True),
    ("on", True),
    ("TRUE", True),
    ("n", False),
    ("no", False),
    ("Off", False),
    ("False", False),
    ("yEs", "yEs"),
    ("T", "T"),
    ("~", None),
    ("Null", None),
    ("", None),
    ("null1", "null1"),
]
NUMBERS: list[tuple[str, Any]] = [
    ("0", 0),
    ("00", 0),
    ("+1", 1),
    ("-1", -1),
    ("010", 8),
    ("0777", 511),
    ("0o14", 12),
    ("08", 8),
    ("0x1F", 31),
    ("-0x1f", -31),
    ("0b101", 5),
    ("1_000", 1000),
    ("1e3", 1000),
    ("1.0", 1),
    ("1.5", 1.5),
    (".5", 0.5),
    ("1.5e-3", 0.0015),
    ("1e400", "1e400"),
    ("1e21", 1e21),
    ("18446744073709551615", 18446744073709551615),
    ("18446744073709551616", 1.8446744073709552e19),
]
TEXT: list[tuple[str, Any]] = [
    ("12:30", "12:30"),
    ("1:30:00", "1:30:00"),
    ("2021-01-01", "2021-01-01"),
    ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
    ("10.0.0.1", "10.0.0.1"),
    ("1,000", "1,000"),
    ("0x", "0x"),
    ("0o8", "0o8"),
    ("3e", "3e"),
    ("-", None),  # the entry of a list, which is empty
    ("_1", "_1"),
    ("'1'", "1"),
    ('"yes"', "yes"),
    ("!!str 1", "1"),
    ("!!str yes", "yes"),
    ('!!int "5"', 5),
    ("!custom x", "x"),
    ("!custom 1", "1"),
    ("!int '5'", "5"),
    ("!<int> '5'", "5"),
    ("! true", "true"),
    ("!!foo 1", "1"),
    ("!!str", ""),
    ("!!str ~", "~"),
    ("!!map x", "x"),
    ("!!binary Tm9kZVBvcnQ=", "NodePort"),
    ('!!binary "Tm9kZVBvcnR="', "NodePort"),
    ("!<tag:yaml.org,2002:binary> YQ==", "a"),
    ("!<binary> YQ==", "YQ=="),
    ("!binary YQ==", "YQ=="),
    ('!!binary ""', ""),
    ("!!binary /w==", "\ufffd"),
    ("!!int 0x1F", 31),
    ("!!float 1", 1),
    ("!!float '1.5'", 1.5),
    ("!!bool yes", True),
    ("!!bool 'true'", True),
    ("!!null ''", None),
    ("!!timestamp 2001-01-01", "2001-01-01"),
    ("!!timestamp 2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
    ("!!set {x: 1}", {"x": 1}),
    ("!!omap [x: 1]", [{"x": 1}]),
    ("!!binary {x: 1}", {"x": 1}),
    ("!custom [1]", [1]),
]


@pytest.mark.parametrize(("text", "value"), [*WORDS, *NUMBERS, *TEXT])
def test_a_scalar_means_what_it_means_to_kubectl(text: str, value: Any) -> None:
    (document,) = documents(f"a: {text}\n" if text != "-" else "a:\n-\n")
    wanted = [value] if text == "-" else value
    assert document.value == {"a": wanted}
    assert type(document.value["a"]) is type(wanted)


@pytest.mark.parametrize(
    ("text", "key"),
    [("yes", "true"), ("off", "false"), ("0x10", "16"), ("1.5", "1.5"), ("'1'", "1")],
)
def test_keys_are_text(text: str, key: str) -> None:
    (document,) = documents(f"{text}: x\n")
    assert document.value == {key: "x"}


@pytest.mark.parametrize(
    "text",
    [
        '!!binary "Tm9k ZVBv"',
        "!!binary Tm9kZVBvcnQ",
        "!!binary Tm9k=",
        "!!binary YWI==",
        "!!binary é",
        "!!int 1.0",
        "!!int x",
        "!!int yes",
        '!!int ""',
        "!!int 1e3",
        "!!int 99999999999999999999",
        "!!float x",
        "!!float 1e400",
        "!!float .inf",
        "!!bool x",
        "!!bool 1",
        "!!null x",
        "!!timestamp x",
        ".inf",
        "-.Inf",
        ".NaN",
        "9" * 350,
        "9" * 5000,
        "-" + "9" * 5000,
        "0x" + "f" * 5000,
    ],
)
def test_what_kubectl_does_not_take_is_refused_with_its_line(text: str) -> None:
    (document,) = documents(f"x: 1\na:\n- {text}\n")
    (problem,) = document.problems
    assert (problem.path, problem.line) == ("a[0]", 3)


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 350, "1e400", "-1e400", "Infinity", "NaN"])
def test_json_that_yaml_cannot_read_holds_no_endless_number_either(number: str) -> None:
    (document,) = documents(f'\n{{"\\ud83d\\ude00": {number}}}')
    assert [problem.line for problem in document.problems] == [2]


def test_json_that_yaml_cannot_read_holds_numbers_as_yaml_does() -> None:
    (document,) = documents('{"\\ud83d\\ude00": [18446744073709551616, 1.5, -7]}')
    assert document.value == {"😀": [1.8446744073709552e19, 1.5, -7]}
    assert not document.problems


def test_tags_of_keys_are_read_too() -> None:
    (document,) = documents("!!binary a2luZA==: Service\n!!bool 'yes': 1\n")
    assert document.value == {"kind": "Service", "true": 1}
