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
