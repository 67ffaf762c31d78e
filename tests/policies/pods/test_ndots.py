"""ndots: its parameters."""

from __future__ import annotations

import msgspec
import pytest

from policies.pods.ndots import Params


@pytest.mark.parametrize("value", ["1", "2", "15"])
def test_a_value_that_resolvers_take_is_accepted(value: str) -> None:
    assert msgspec.convert({"value": value}, Params).value == value


@pytest.mark.parametrize(
    "value", ["0", "16", "-1", "2.0", "02", " 2", "2\n", "", "two", 2, None, True]
)
def test_any_other_value_is_refused(value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"value": value}, Params)
