"""Where an object of any kind holds pod templates."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.audit.templates import pod_templates

POD = {"metadata": {}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


@pytest.mark.parametrize(
    ("obj", "found"),
    [
        ({"spec": {"template": POD}}, ("spec.template",)),
        ({"spec": {"jobs": [{"template": POD}, {"template": POD}]}}, ("spec.jobs[*].template",)),
        (
            {"spec": {"replicas": {"Worker": {"template": POD}, "Chief": {"template": POD}}}},
            ("spec.replicas.Chief.template", "spec.replicas.Worker.template"),
        ),
        ({"objects": [{"spec": {"template": POD}}]}, ("objects[*].spec.template",)),
        (POD, ()),
        ({"data": {"spec": "containers: [{image: i}]"}}, ()),
        ({"spec": {"template": {"spec": {"containers": {"image": {"type": "string"}}}}}}, ()),
        ({"spec": {"template": {"spec": {"containers": ["image"]}}}}, ()),
        ({"spec": {"template": {"spec": {"containers": []}}}}, ()),
        ({"spec": {"template": {"spec": None}}}, ()),
    ],
)
def test_pod_templates_are_known_by_their_shape(obj: dict[str, Any], found: object) -> None:
    assert pod_templates(obj) == found


def test_an_object_may_be_of_any_depth() -> None:
    obj: dict[str, Any] = {"template": POD}
    for _ in range(3_000):
        obj = {"a": [obj]}
    (found,) = pod_templates(obj)
    assert found == "a[*]." * 3_000 + "template"
