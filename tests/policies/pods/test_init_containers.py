"""An init container is allowed by name, image and command together, never by one of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from policies.objects import Container
from policies.pods.init_containers import MESH_INIT, AllowedContainer

PLAIN = AllowedContainer("setup", "registry.example/setup")
EXACT = AllowedContainer("setup", "registry.example/setup", ("/setup", "run"))
OPEN = AllowedContainer("setup", "registry.example/setup", ("/bin/sh", "-ec", "*"))
ANY = AllowedContainer("setup", "registry.example/setup", ("*",))


@pytest.mark.parametrize(
    ("allowed", "command", "expected"),
    [
        (PLAIN, None, True),
        (PLAIN, [], True),
        (PLAIN, ["/setup"], False),
        (EXACT, ["/setup", "run"], True),
        (EXACT, ["/setup", "run", "more"], False),
        (EXACT, ["/setup"], False),
        (EXACT, None, False),
        (OPEN, ["/bin/sh", "-ec", "echo"], True),
        (OPEN, ["/bin/sh", "-ec"], True),
        (OPEN, ["/bin/sh", "-c", "echo"], False),
        (OPEN, None, False),
        (ANY, ["whatever"], True),
        (ANY, None, True),
    ],
)
def test_the_command_must_be_the_one_that_is_allowed(
    allowed: AllowedContainer, command: list[str] | None, expected: bool
) -> None:
    container = Container("setup", "registry.example/setup:1", command)
    assert allowed.covers(container) is expected


@pytest.mark.parametrize(
    "container",
    [
        Container("setup2", "registry.example/setup:1"),
        Container("Setup", "registry.example/setup:1"),
        Container(None, "registry.example/setup:1"),
        Container("setup", "registry.example/setup2:1"),
        Container("setup", None),
        Container("setup", ""),
    ],
)
def test_a_near_miss_is_a_miss(container: Container) -> None:
    assert not PLAIN.covers(container)


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "istio-init"},
        {"image": "istio/proxyv2"},
        {"name": "", "image": "istio/proxyv2"},
        {"name": "istio-init", "image": ""},
        {"name": "istio-init", "image": "istio/*"},
        {"name": "istio-init", "image": "istio/proxyv2", "images": []},
    ],
)
def test_an_entry_without_name_or_image_or_with_a_pattern_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(entry, AllowedContainer)


def test_no_mesh_is_given_more_than_the_network() -> None:
    for allowed in (one for entries in MESH_INIT.values() for one in entries):
        assert allowed.capabilities <= {"NET_ADMIN", "NET_RAW"}
