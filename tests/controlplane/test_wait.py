"""Waiting ends with the value or with a reason."""

import pytest

from tests.controlplane.wait import wait_for


def test_the_first_true_value_is_returned() -> None:
    """Falsy ones are asked again."""
    values = iter([None, 0, "", "ready", "later"])
    assert wait_for(lambda: next(values), 5, "a value") == "ready"


def test_the_timeout_says_what_was_waited_for() -> None:
    """And what was seen last, since that is the next question."""
    with pytest.raises(TimeoutError, match=r"waited 0 s for a pod; last seen: \[\]"):
        wait_for(list, 0, "a pod")


def test_an_error_of_the_predicate_is_not_hidden() -> None:
    """A typo in a test should not look like a slow server."""
    with pytest.raises(ZeroDivisionError):
        wait_for(lambda: 1 / 0, 5, "nothing")
