"""Where pods sit in every kind, and what a path to a custom kind's templates finds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.objects import (
    Container,
    CronJob,
    Object,
    ObjectMeta,
    Pod,
    PodSpec,
    PodTemplate,
    Service,
    Templated,
)
from policies.workloads import CustomWorkload, PodView, pod_views

SPEC = {"containers": [{"name": "main"}]}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": SPEC}


@pytest.mark.parametrize(
    ("kind", "obj", "path"),
    [
        (Templated, {"spec": {"template": TEMPLATE}}, "spec.template.spec"),
        (
            CronJob,
            {"spec": {"jobTemplate": {"spec": {"template": TEMPLATE}}}},
            "spec.jobTemplate.spec.template.spec",
        ),
        (PodTemplate, {"template": TEMPLATE}, "template.spec"),
    ],
)
def test_a_template_is_found_with_its_own_metadata(
    kind: type[Object], obj: dict[str, Any], path: str
) -> None:
    (view,) = pod_views(msgspec.convert({**obj, "metadata": {"labels": {"of": "owner"}}}, kind))
    assert (view.path, view.key, view.is_pod) == (path, path, False)
    assert view.metadata.labels == {"app": "web"}
    assert [one.name for one in view.containers] == ["main"]


def test_a_pod_is_its_own_template() -> None:
    (view,) = pod_views(msgspec.convert(TEMPLATE, Pod))
    assert (view.path, view.key, view.is_pod) == ("spec", "spec", True)
    assert view.metadata.labels == {"app": "web"}


@pytest.mark.parametrize(
    ("kind", "obj"),
    [
        (Pod, {}),
        (Pod, {"spec": None}),
        (Templated, {}),
        (Templated, {"spec": {}}),
        (Templated, {"spec": {"template": {}}}),
        (CronJob, {"spec": None}),
        (CronJob, {"spec": {"jobTemplate": None}}),
        (CronJob, {"spec": {"jobTemplate": {"spec": {}}}}),
        (PodTemplate, {"template": None}),
    ],
)
def test_without_a_spec_there_is_no_pod(kind: type[Object], obj: dict[str, Any]) -> None:
    assert pod_views(msgspec.convert(obj, kind)) == ()


def test_a_kind_without_a_template_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match="Service has no pod template"):
        pod_views(Service())


def pod_of(init: int, main: int, ephemeral: int) -> PodView:
    spec = PodSpec(
        initContainers=[Container(f"i{index}") for index in range(init)],
        containers=[Container(f"m{index}") for index in range(main)],
        ephemeralContainers=[Container(f"e{index}") for index in range(ephemeral)] or None,
    )
    return PodView("spec.template.spec", None, spec, key="spec.template[web].spec")


def test_containers_are_init_main_and_ephemeral_ones_and_know_their_place() -> None:
    view = pod_of(2, 1, 1)
    assert [one.name for one in view.containers] == ["i0", "i1", "m0", "e0"]
    assert [view.field_of(index) for index in range(4)] == [
        "spec.template.spec.initContainers[0]",
        "spec.template.spec.initContainers[1]",
        "spec.template.spec.containers[0]",
        "spec.template.spec.ephemeralContainers[0]",
    ]
    assert view.key_of(1) == "spec.template[web].spec.initContainers[i1]"
    assert view.key_of(3) == "spec.template[web].spec.ephemeralContainers[e0]"


def test_a_container_that_is_not_there_has_no_place() -> None:
    with pytest.raises(IndexError):
        pod_of(1, 1, 0).field_of(2)


@given(st.tuples(*[st.integers(0, 4)] * 3))
def test_every_container_has_a_place_and_a_key_of_its_own(counts: tuple[int, int, int]) -> None:
    view = pod_of(*counts)
    places = range(len(view.containers))
    assert len(view.containers) == sum(counts)
    assert len({view.field_of(index) for index in places}) == sum(counts)
    assert len({view.key_of(index) for index in places}) == sum(counts)


def test_the_spec_of_a_pod_keeps_its_own_lists() -> None:
    view = pod_of(1, 1, 0)
    view.containers.clear()
    assert view.spec.containers == [Container("m0")]


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [(None, False), ({}, False), ({"kubernetes.io/config.mirror": "1f0c"}, True),
     ({"kubernetes.io/config.mirror": ""}, True), ({"kubernetes.io/config.source": "api"}, False)],
)  # fmt: skip
def test_a_mirror_pod_is_known_by_its_annotation(
    annotations: dict[str, str] | None, expected: bool
) -> None:
    view = PodView("spec", ObjectMeta(annotations=annotations), PodSpec())
    assert view.is_mirror is expected


# --- Custom kinds


def read(path: str, obj: Any) -> list[tuple[str, str]]:
    """Path and key of every pod that a custom workload with this path finds."""
    found = CustomWorkload("example.com", "things", "Thing", path).reader()(obj)
    assert not any(view.is_pod for view in found)
    return [(view.path, view.key) for view in found]


def jobs(*names: Any, template: Any = TEMPLATE) -> dict[str, Any]:
    """Shaped like a JobSet; a name of None is left out."""
    return {
        "spec": {
            "jobs": [
                {"template": template} | ({} if name is None else {"name": name}) for name in names
            ]
        }
    }


EVERY_JOB = "spec.jobs[*].template"


def test_a_path_leads_to_a_template() -> None:
    assert read("spec.template", {"spec": {"template": TEMPLATE}}) == [("spec.template.spec",) * 2]
    assert read("template", {"template": TEMPLATE}) == [("template.spec",) * 2]


def test_the_view_holds_what_the_template_says() -> None:
    reader = CustomWorkload("example.com", "things", "Thing", "spec.template").reader()
    template = {
        "metadata": {"annotations": {"a": "b"}},
        "spec": {"hostNetwork": True, "containers": [{"name": "x", "unknown": 1}], "other": []},
    }
    (view,) = reader({"spec": {"template": template}})
    assert view.spec.hostNetwork is True
    assert view.metadata.annotations == {"a": "b"}
    assert view.containers == [Container("x")]


def test_a_star_leads_to_every_element_and_names_make_the_keys() -> None:
    assert read(EVERY_JOB, jobs("leader", "workers")) == [
        ("spec.jobs[0].template.spec", "spec.jobs[leader].template.spec"),
        ("spec.jobs[1].template.spec", "spec.jobs[workers].template.spec"),
    ]


@pytest.mark.parametrize("names", [("a", "a"), ("a", None), (None, None), ("a", 7), (["a"], {})])
def test_elements_without_a_name_of_their_own_are_told_apart_by_position(names: Any) -> None:
    assert [key for _, key in read(EVERY_JOB, jobs(*names))] == [
        "spec.jobs[0].template.spec",
        "spec.jobs[1].template.spec",
    ]


def test_a_star_stands_for_every_value_of_a_mapping_as_well() -> None:
    replicas = {"Master": {"template": {"spec": SPEC}}, "Worker": {"template": {"spec": SPEC}}}
    assert read("spec.replicaSpecs[*].template", {"spec": {"replicaSpecs": replicas}}) == [
        ("spec.replicaSpecs.Master.template.spec",) * 2,
        ("spec.replicaSpecs.Worker.template.spec",) * 2,
    ]
    assert read("spec.replicaSpecs[*].template", {"spec": {"replicaSpecs": {}}}) == []


def test_a_kind_can_have_templates_at_several_paths() -> None:
    group = {"leaderTemplate": {"spec": SPEC}, "workerTemplate": {"spec": SPEC}, "size": 4}
    paths = ("group.leaderTemplate", "group.workerTemplate")
    found = CustomWorkload("example.com", "things", "Thing", paths).reader()({"group": group})
    assert [view.path for view in found] == [f"{path}.spec" for path in paths]


def test_stars_may_follow_each_other() -> None:
    obj = {
        "groups": [
            {"name": "a", "parts": [{"spec": SPEC}, {"spec": SPEC}]},
            {"name": "b", "parts": []},
            {"name": "c", "parts": [{"spec": SPEC, "name": "x"}]},
        ]
    }
    assert read("groups[*].parts[*]", obj) == [
        ("groups[0].parts[0].spec", "groups[a].parts[0].spec"),
        ("groups[0].parts[1].spec", "groups[a].parts[1].spec"),
        ("groups[2].parts[0].spec", "groups[c].parts[x].spec"),
    ]


@pytest.mark.parametrize(
    ("path", "obj"),
    [
        ("spec.template", {}),
        ("spec.template", {"spec": None}),
        ("spec.template", {"spec": {"workloadRef": {"name": "web"}}}),
        ("spec.template", {"spec": {"template": None}}),
        ("spec.template", {"spec": {"template": {}}}),
        ("spec.template", {"spec": {"template": {"metadata": {}, "spec": None}}}),
        ("spec.template", None),
        (EVERY_JOB, {"spec": {}}),
        (EVERY_JOB, {"spec": {"jobs": None}}),
        (EVERY_JOB, {"spec": {"jobs": []}}),
        (EVERY_JOB, {"spec": {"jobs": [None, {}, {"template": None}]}}),
    ],
)
def test_what_is_missing_has_no_pods(path: str, obj: Any) -> None:
    assert read(path, obj) == []


@pytest.mark.parametrize(
    ("path", "obj", "message"),
    [
        ("spec.template", [], "Expected `object`, got `array` - at `$.`"),
        ("spec.template", "x", "Expected `object`, got `str` - at `$.`"),
        ("spec.template", {"spec": 7}, "Expected `object`, got `int` - at `$.spec`"),
        ("spec.template", {"spec": [{}]}, "Expected `object`, got `array` - at `$.spec`"),
        (
            "spec.template",
            {"spec": {"template": [TEMPLATE]}},
            "Expected `object`, got `array` - at `$.spec.template`",
        ),
        (
            "spec.template",
            {"spec": {"template": {"spec": {"hostNetwork": "true"}}}},
            "Expected `bool | null`, got `str` - at `$.spec.template.spec.hostNetwork`",
        ),
        (EVERY_JOB, {"spec": {"jobs": "x"}}, "Expected `array`, got `str` - at `$.spec.jobs`"),
        (
            EVERY_JOB,
            {"spec": {"jobs": [{}, True]}},
            "Expected `object`, got `bool` - at `$.spec.jobs[1]`",
        ),
        (
            EVERY_JOB,
            jobs("a", template={"spec": {"containers": [{"ports": [{"hostPort": 0.5}]}]}}),
            "Expected `int | null`, got `float`"
            " - at `$.spec.jobs[0].template.spec.containers[0].ports[0].hostPort`",
        ),
    ],
)
def test_what_is_shaped_otherwise_is_an_error_with_its_path(
    path: str, obj: Any, message: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        read(path, obj)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "path",
    ["", ".", "spec.", ".template", "spec..template", "[*]", "spec.[*]", "spec.jobs[0].template",
     "spec.jobs[*]template", "spec.jobs[*", "spec.jobs[*][*]", "$.spec[?]"],
)  # fmt: skip
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    for paths in (path, [path], ["spec.template", path]):
        _is_refused(paths)


def test_there_is_at_least_one_path() -> None:
    _is_refused([])


def _is_refused(path: Any) -> None:
    entry = {"group": "example.com", "resource": "things", "kind": "Thing", "path": path}
    with pytest.raises(msgspec.ValidationError, match=r"^path must lead to a pod template"):
        msgspec.convert(entry, CustomWorkload)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["spec", "jobs", "template", "name", "containers"]), inner
            )
        ),
    )
)
def test_any_json_is_read_or_refused(obj: Any) -> None:
    for path in ("spec.template", EVERY_JOB):
        try:
            found = read(path, obj)
        except msgspec.ValidationError:
            continue
        assert len({key for _, key in found}) == len(found)
