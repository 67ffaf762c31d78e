"""net-capabilities: one verdict for every spelling, and what the ratchet takes for the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.model import Action
from policies.pods.net_capabilities import POLICY, POWERS, Params
from tests.policies.pods.given import denying, fields, found, pod, update


def adding(*capabilities: str, name: str = "main") -> dict[str, Any]:
    return {"name": name, "securityContext": {"capabilities": {"add": list(capabilities)}}}


@given(
    st.sampled_from(sorted(POWERS)),
    st.sampled_from(["", "CAP_"]),
    st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    st.sampled_from(["", " ", "\t", "\n"]),
)
def test_no_spelling_hides_a_capability(name: str, prefix: str, case: Any, space: str) -> None:
    (violation,) = found(POLICY, pod(adding(f"{space}{case(prefix + name)}{space}")))
    assert violation.message.startswith(f"must not be {name}: ")


def test_a_capability_twice_is_the_same_violation_at_two_places() -> None:
    first, second = found(POLICY, pod(adding("NET_ADMIN", "cap_net_admin")))
    assert first.field != second.field
    assert first.identity == second.identity


def test_a_second_capability_denies_beside_an_old_one_that_warns() -> None:
    verdict = update(denying(POLICY), pod(adding("NET_RAW")), pod(adding("NET_ADMIN", "NET_RAW")))
    path = "spec.containers[0].securityContext.capabilities"
    assert fields(verdict, Action.DENY) == [f"{path}.add[0]"]
    assert fields(verdict, Action.WARN) == [f"{path}.add[1]"]


def test_privileged_is_new_to_a_container_that_had_every_capability() -> None:
    privileged = {"name": "main", "securityContext": {"privileged": True}}
    assert not update(denying(POLICY), pod(adding("ALL")), pod(privileged)).allowed


def test_a_renamed_container_is_another_one() -> None:
    old, new = pod(adding("NET_ADMIN", name="old")), pod(adding("NET_ADMIN", name="new"))
    assert not update(denying(POLICY), old, new).allowed


def test_several_meshes_and_entries_add_up() -> None:
    entry = {
        "name": "linkerd-init",
        "image": "mirror.example/proxy-init",
        "capabilities": ["NET_RAW"],
    }
    container = {**adding("NET_ADMIN", "NET_RAW", name="linkerd-init")}
    for image, remaining in (
        ("cr.l5d.io/linkerd/proxy-init:v2", 0),
        ("mirror.example/proxy-init:v2", 1),
        ("other.example/proxy-init:v2", 2),
    ):
        subject = pod(initContainers=[{**container, "image": image}])
        violations = found(
            POLICY, subject, meshes=["istio", "linkerd"], allowedInitContainers=[entry]
        )
        assert len(violations) == remaining


def test_an_unknown_mesh_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"meshes": ["osm"]}, Params)
