"""The patch: it applies, with an implementation that is not ours, and says no more than needed."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.objects import ObjectMeta, Pod, PodDNSConfig, PodDNSConfigOption, PodSpec
from webhook.admission.patch import diff, escape, shell

KEYS = st.text(min_size=1, max_size=5)
TEXTS = st.none() | st.text(max_size=5)
MAPS = st.none() | st.dictionaries(KEYS, st.text(max_size=5), max_size=4)
OPTIONS = st.lists(st.builds(PodDNSConfigOption, name=TEXTS, value=TEXTS), max_size=4)
DNS = st.none() | st.builds(PodDNSConfig, options=st.none() | OPTIONS)
PODS = st.builds(
    Pod,
    metadata=st.builds(ObjectMeta, labels=MAPS, annotations=MAPS),
    spec=st.builds(PodSpec, hostNetwork=st.none() | st.booleans(), dnsPolicy=TEXTS, dnsConfig=DNS),
)


@given(before=PODS, after=PODS, appended=OPTIONS)
def test_the_patch_turns_before_into_after(
    before: Pod, after: Pod, appended: list[PodDNSConfigOption]
) -> None:
    assert before.spec is not None
    assert after.spec is not None
    if before.spec.dnsConfig and before.spec.dnsConfig.options is not None:
        options = [*copy.deepcopy(before.spec.dnsConfig.options), *appended]
        after.spec.dnsConfig = PodDNSConfig(options=options)
    document = _document(before)
    patched = jsonpatch.apply_patch(document, list(diff(before, after)))
    assert msgspec.convert(patched, Pod) == after
    assert _foreign(patched) == _foreign(document)


def _document(pod: Pod) -> dict[str, Any]:
    """The object behind a view: it has fields that no view knows."""
    document: dict[str, Any] = msgspec.to_builtins(pod)
    document["apiVersion"] = "v1"
    document["spec"]["volumes"] = [{"name": "data"}]
    return document


def _foreign(document: dict[str, Any]) -> Any:
    return document["apiVersion"], document["spec"]["volumes"]


@given(before=PODS, after=PODS)
def test_what_is_assigned_after_a_shell_was_taken_is_in_the_patch(before: Pod, after: Pod) -> None:
    kept = shell(before)
    assert list(diff(kept, before)) == []
    original = copy.deepcopy(before)
    assert before.spec is not None
    assert after.spec is not None
    assert before.metadata is not None
    before.spec.dnsConfig = after.spec.dnsConfig
    before.metadata.labels = {**(before.metadata.labels or {}), "added": "yes"}
    assert kept == original
    assert kept != before


@given(PODS)
def test_equal_objects_have_no_patch(pod: Pod) -> None:
    assert list(diff(pod, copy.deepcopy(pod))) == []


def test_a_list_that_lost_elements_is_an_error() -> None:
    before = PodDNSConfig(options=[PodDNSConfigOption("ndots", "5")])
    with pytest.raises(ValueError, match="/options: a list can only be appended to"):
        list(diff(before, PodDNSConfig(options=[])))


def test_pointers_are_escaped() -> None:
    assert escape("a/b~c") == "a~1b~0c"
    before, after = (
        ObjectMeta(annotations={"x": "1"}),
        ObjectMeta(annotations={"x": "1", "a/~": ""}),
    )
    assert list(diff(before, after)) == [{"op": "add", "path": "/annotations/a~1~0", "value": ""}]


def test_types_are_compared_with_values() -> None:
    assert list(diff(PodSpec(hostNetwork=None), PodSpec(hostNetwork=False))) == [
        {"op": "add", "path": "/hostNetwork", "value": False}
    ]


def test_elements_that_nobody_touched_are_not_looked_at() -> None:
    """Not even whether they equal themselves: there may be hundreds of thousands."""
    unequal = float("nan")
    (operation,) = diff([unequal], [unequal, "new"], "/list")
    assert operation == {"op": "add", "path": "/list/-", "value": "new"}
