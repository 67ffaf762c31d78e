"""Parameters in words, and that every policy has words for each of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import pytest

from policies import catalogue
from policies.model import Action, Policy
from policies.selectors import LabelSelector
from webhook.config.parameters import Parameter, field_texts, parameters, words, written
from webhook.config.schema import GateConfig, Override, PolicyConfig


class Inner(msgspec.Struct):
    """Something in a list.

    name: of it.
    """

    name: str


class Sample(msgspec.Struct):
    """A sample.

    number: how many,
        at most ten.
    first, second: both of them; name: not this one.
    inner: ``things`` of one's own.
    """

    inner: tuple[Inner, ...] = ()
    number: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    first: bool = False
    second: frozenset[str] = frozenset({"b", "a"})
    selector: LabelSelector | None = None


def test_parameters_come_with_type_default_and_text() -> None:
    assert parameters(Sample) == [
        Parameter("inner", "list of: mapping", "[]", "`things` of one's own."),
        Parameter("inner[].name", "text", "", "of it.", required=True),
        Parameter("number", "whole number from 1 to 10", "3", "how many, at most ten."),
        Parameter("first", "true or false", "false", "both of them; name: not this one."),
        Parameter("second", "list of: text", '["a", "b"]', "both of them; name: not this one."),
        Parameter("selector", "label selector", "", ""),
    ]


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (Literal["a", "b", "c"], "a, b or c"),
        (int | str, "whole number or text"),
        (str | None, "text"),
        (tuple[int | str, ...], "list of: whole number or text"),
        (dict[str, int], "mapping of text to whole number"),
        (Mapping[str, frozenset[str]], "mapping of text to list of: text"),
        (Action, "Deny, Warn, Audit, Mutate or Off"),
        (Annotated[str, msgspec.Meta(pattern="^a$")], "text"),
        (Inner, "mapping"),
    ],
)
def test_a_type_in_words(of: Any, said: str) -> None:
    assert words(of) == said


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (("a:b", "c"), '["a:b", "c"]'),
        (frozenset({2, 1}), "[1, 2]"),
        ({}, "{}"),
        ({"a": ("b",)}, '{a: ["b"]}'),
        (True, "true"),
        (Action.WARN, '"Warn"'),
    ],
)
def test_a_value_as_it_is_written_in_the_file(value: Any, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize("policy", catalogue(), ids=lambda policy: policy.id)
def test_every_parameter_of_every_policy_is_explained(policy: Policy[Any, Any]) -> None:
    own = [one for one in parameters(policy.params) if "." not in one.name]
    assert [one.name for one in own if not one.text] == []


@pytest.mark.parametrize("struct", [GateConfig, Override, PolicyConfig])
def test_every_field_of_the_configuration_is_explained(struct: type[msgspec.Struct]) -> None:
    unexplained = set(struct.__struct_fields__) - set(field_texts(struct))
    assert unexplained <= {"apiVersion", "kind"}
