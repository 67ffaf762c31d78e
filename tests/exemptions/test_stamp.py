"""A stamp verifies for what it was written for, and for nothing else."""

from __future__ import annotations

import time
import timeit
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.exemptions.claim import Claim
from webhook.exemptions.stamp import Keys, is_current, reseal, seal, verify

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32
CLAIM = Claim(("host-port", "node-port"), 1_800_000_000, "The old client needs it.", "OPS-1")
NAMESPACE, WORKLOAD = "shop", "Deployment.apps/web"


def stamped(keys: Keys | None = None, claim: Claim = CLAIM) -> str:
    return seal(
        claim, NAMESPACE, WORKLOAD,
        by="anna", groups=["ops", "system:authenticated"], now=1_790_000_000.9,
        keys=keys or Keys(NEW),
    )  # fmt: skip


def test_it_can_be_read() -> None:
    text = stamped()
    assert msgspec.json.decode(text) | {"mac": "-"} == {
        "v": 1, "workload": WORKLOAD, "by": "anna", "at": "2026-09-21T14:13:20Z",
        "groups": ["ops"], "mac": "-",
    }  # fmt: skip
    found = verify(text, CLAIM, NAMESPACE, Keys(NEW))
    assert found is not None
    assert found.workload == WORKLOAD


@pytest.mark.parametrize(
    "changed",
    [
        {"policies": ("host-port",)},
        {"policies": ("host-port", "node-port", "probe-host")},
        {"policies": ("host-port,node-port",)},
        {"policies": ("*",)},
        {"until": 1_800_000_001},
        {"until": None},
        {"reason": "The old client needs it!"},
        {"reason": ""},
        {"ticket": ""},
        {"ticket": "OPS-2"},
    ],
)
def test_another_claim(changed: dict[str, Any]) -> None:
    other = msgspec.structs.replace(CLAIM, **changed)
    assert verify(stamped(), other, NAMESPACE, Keys(NEW)) is None
    assert verify(stamped(), CLAIM, NAMESPACE, Keys(NEW)) is not None


@pytest.mark.parametrize("namespace", ["", "sho", "shop2", "Shop"])
def test_another_namespace(namespace: str) -> None:
    assert verify(stamped(), CLAIM, namespace, Keys(NEW)) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"workload": "Deployment.apps/other"},
        {"workload": "Deployment.apps/web-*"},
        {"by": "jane"},
        {"at": "2026-09-21T14:13:21Z"},
        {"groups": ["ops", "more"]},
        {"groups": []},
        {"groups": None},
        {"mac": ""},
        {"mac": "A" * 43},
        {"v": 2},
        {"v": "1"},
        {"more": 1},
    ],
)
def test_every_part_is_sealed(changed: dict[str, Any]) -> None:
    text = msgspec.json.encode(msgspec.json.decode(stamped()) | changed).decode()
    assert verify(text, CLAIM, NAMESPACE, Keys(NEW)) is None


@pytest.mark.parametrize(
    "text", [None, "", "x", "{}", "null", "[]", '{"v":1}', "[" * 4000, "\ud800", "{" * 5000]
)
def test_no_stamp(text: str | None) -> None:
    assert verify(text, CLAIM, NAMESPACE, Keys(NEW)) is None


@given(st.text(max_size=60))
def test_no_text_is_a_stamp(text: str) -> None:
    assert verify(text, CLAIM, NAMESPACE, Keys(NEW)) is None


def test_parts_cannot_move_into_each_other() -> None:
    """What stands in one field says the same to nobody in another."""
    one = Claim(("a",), None, "A reason, in words.", "b")
    other = Claim(("a", "b"), None, "A reason, in words.", "")
    assert verify(stamped(claim=one), other, NAMESPACE, Keys(NEW)) is None


def test_two_keys_count_during_a_rotation() -> None:
    old = stamped(Keys(OLD))
    rotated = Keys(NEW, OLD)
    found = verify(old, CLAIM, NAMESPACE, rotated)
    assert found is not None
    assert not is_current(found, CLAIM, NAMESPACE, rotated)
    renewed = reseal(found, CLAIM, NAMESPACE, rotated)
    again = verify(renewed, CLAIM, NAMESPACE, Keys(NEW))
    assert again is not None
    assert (again.by, again.at, again.groups) == (found.by, found.at, found.groups)
    assert is_current(again, CLAIM, NAMESPACE, rotated)


def test_without_its_key_a_stamp_says_nothing() -> None:
    assert verify(stamped(Keys(OLD)), CLAIM, NAMESPACE, Keys(NEW, OTHER)) is None
    assert verify(stamped(Keys(OLD)), CLAIM, NAMESPACE, None) is None


@pytest.mark.parametrize("keys", [(b"",), (b"x" * 31,), (NEW, b"short")])
def test_keys_that_could_be_guessed(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        Keys(*keys)


def test_groups_are_noted_wholly_or_not() -> None:
    def noted(groups: list[str]) -> Any:
        text = seal(CLAIM, "", WORKLOAD, by="a", groups=groups, now=0, keys=Keys(NEW))
        return msgspec.json.decode(text).get("groups", ())

    assert noted([]) == ()
    assert noted(["b", "a", "b"]) == ["a", "b"]
    assert noted([f"g{number}" for number in range(21)]) is None
    assert noted(["x" * 1025]) is None


def test_a_stamp_is_verified_in_under_20_microseconds() -> None:
    """Of processor time; by the previous key, which takes longer."""
    text, keys = stamped(Keys(OLD)), Keys(NEW, OLD)
    rounds = timeit.repeat(
        lambda: verify(text, CLAIM, NAMESPACE, keys),
        timer=time.process_time,
        number=1000,
        repeat=5,
    )
    assert min(rounds) / 1000 < 20e-6
