"""Where the pod spec sits in every kind, and every container in it with its field path.

Owns the kinds with pod templates and the PodView that policies on pods judge. Custom kinds are
configured by path; see `CustomWorkload`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from policies.model import UPDATE, WRITES, Request, Rule
from policies.objects import (
    Container,
    CronJob,
    JobTemplateSpec,
    Object,
    ObjectMeta,
    Pod,
    PodSpec,
    PodTemplate,
    PodTemplateSpec,
    Templated,
)

MOST_CONTAINERS = 1000
"""Of one pod: no node could run it, and every policy would look at each of them."""

MOST_TEMPLATES = 100
"""In one object of a custom kind: each is judged, and may claim exemptions of its own."""


class PodView:
    """A pod, or the template of one, as the policies on pods see it.

    path: of the pod spec inside the object (``spec.template.spec``), so messages point there.
    key: tells this pod from the others of its object, for Violation.keys; the path, with names
        in place of list positions where a custom kind holds several templates.
    metadata: of the pod or its template, not of the object that holds the template.
    is_pod: a Pod itself and not a template.
    way: to the pod or its template inside the object, a key or position at a time; ``path`` cannot
        be taken apart again where a custom kind has keys of any form.
    containers: init, main and ephemeral ones in this order; sidecars are init containers.

    Raises msgspec.ValidationError for more than MOST_CONTAINERS.
    """

    __slots__ = ("_way", "containers", "is_pod", "key", "metadata", "path", "spec")

    def __init__(
        self,
        path: str,
        metadata: ObjectMeta | None,
        spec: PodSpec,
        *,
        is_pod: bool = False,
        key: str | None = None,
        way: tuple[str, ...] | None = None,
    ) -> None:
        self.path = path
        self._way = way
        self.key = path if key is None else key
        self.metadata = metadata or ObjectMeta()
        self.spec = spec
        self.is_pod = is_pod
        self.containers: list[Container] = (
            (spec.initContainers or []) + (spec.containers or []) + (spec.ephemeralContainers or [])
        )
        if len(self.containers) > MOST_CONTAINERS:
            raise msgspec.ValidationError(
                f"at most {MOST_CONTAINERS} containers, got {len(self.containers)} - at `$.{path}`"
            )

    @property
    def way(self) -> tuple[str, ...]:
        return tuple(self.path.split(".")[:-1]) if self._way is None else self._way

    # Policies ask for a container's text only when something is found: most pods are clean.

    def field_of(self, index: int) -> str:
        """The field path of ``containers[index]``: ``spec.initContainers[0]``."""
        name, position = self._list_of(index)
        return f"{self.path}.{name}[{position}]"

    def key_of(self, index: int) -> str:
        """``containers[index]`` for Violation.keys: ``spec.initContainers[wait-for-db]``.

        By name, which is unique in a pod; a container that is renamed or moved is another one.
        """
        return f"{self.key}.{self._list_of(index)[0]}[{self.containers[index].name}]"

    def _list_of(self, index: int) -> tuple[str, int]:
        for name in ("initContainers", "containers", "ephemeralContainers"):
            length = len(getattr(self.spec, name) or ())
            if index < length:
                return name, index
            index -= length
        raise IndexError(index)

    @property
    def is_mirror(self) -> bool:
        """The kubelet's picture of a static pod: to change it changes nothing that runs."""
        return "kubernetes.io/config.mirror" in (self.metadata.annotations or {})


def shows_static_pod(subject: object, request: Request) -> bool:
    """Whether a node reports a static pod, which it runs already: a denial hides it, no more.

    The annotation alone proves nothing; only nodes are in the group system:nodes.
    """
    if not (isinstance(subject, PodView) and subject.is_pod and subject.is_mirror):
        return False
    user = request.user
    return user.username.startswith("system:node:") and "system:nodes" in user.groups


T = TypeVar("T")

PODS = Rule("", "pods", WRITES)
EPHEMERAL_CONTAINERS = Rule("", "pods/ephemeralcontainers", frozenset({UPDATE}))
"""For policies on what an ephemeral container can have: no ports, probes or lifecycle hooks."""

_TEMPLATED = "spec.template"
TEMPLATE_PATHS: dict[tuple[str, str], str] = {
    ("", "podtemplates"): "template",
    ("", "replicationcontrollers"): _TEMPLATED,
    ("apps", "deployments"): _TEMPLATED,
    ("apps", "statefulsets"): _TEMPLATED,
    ("apps", "daemonsets"): _TEMPLATED,
    ("apps", "replicasets"): _TEMPLATED,
    ("batch", "jobs"): _TEMPLATED,
    ("batch", "cronjobs"): "spec.jobTemplate.spec.template",
}
"""Built-in kinds with a pod template (source: pod-security-admission admission.go)."""

WORKLOADS: tuple[Rule, ...] = (
    PODS,
    *(Rule(group, resource, WRITES) for group, resource in TEMPLATE_PATHS),
)
"""The rules of a policy that judges pods wherever they are declared."""


def pod_views(obj: Object) -> tuple[PodView, ...]:
    """The pods of a built-in object; none where it has no pod spec."""
    if isinstance(obj, Pod):
        return (PodView("spec", obj.metadata, obj.spec, is_pod=True),) if obj.spec else ()
    path, template = _template(obj)
    if template is None or template.spec is None:
        return ()
    return (PodView(f"{path}.spec", template.metadata, template.spec),)


def _template(obj: Object) -> tuple[str, PodTemplateSpec | None]:
    if isinstance(obj, Templated):
        return _TEMPLATED, obj.spec.template if obj.spec else None
    if isinstance(obj, CronJob):
        job: JobTemplateSpec | None = obj.spec.jobTemplate if obj.spec else None
        return "spec.jobTemplate.spec.template", job.spec.template if job and job.spec else None
    if isinstance(obj, PodTemplate):
        return "template", obj.template
    raise TypeError(f"{type(obj).__name__} has no pod template")


_STEP = r"[^.\[\]]+(\[\*\])?"
_PATH = re.compile(rf"{_STEP}(\.{_STEP})*")


class CustomWorkload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A custom resource with pod templates.

    group, resource: as in its API path (``argoproj.io``, ``rollouts``); kind: ``Rollout``.
    path: of the pod template, or a list of paths where there are several; ``[*]`` for every element
        of a list or value of a mapping: ``spec.template``,
        ``spec.replicatedJobs[*].template.spec.template``.
    """

    group: str
    resource: str
    kind: str
    # Patterns in the type would be checked by msgspec, which frees them twice in such a union.
    path: str | tuple[str, ...]

    def __post_init__(self) -> None:
        wrong = next((one for one in self.paths if not _PATH.fullmatch(one)), None)
        if wrong is not None or not self.paths:
            raise ValueError(f"path must lead to a pod template, as spec.template, not {wrong!r}")

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path,) if isinstance(self.path, str) else self.path

    def reader(self) -> Callable[[Any], tuple[PodView, ...]]:
        """A function from the object, decoded without a type, to its pods.

        A template that is absent or null has no pod. The function raises
        msgspec.ValidationError, with the path inside the object, where one is not shaped like
        a template.
        """
        ways = [tuple(path.split(".")) for path in self.paths]

        def read(obj: Any) -> tuple[PodView, ...]:
            found = [one for steps in ways for one in _walk(obj, steps, "", "", ())]
            _check_count(len(found), found[0][0] if found else "")
            return tuple(
                PodView(
                    f"{path}.spec", template.metadata, template.spec, key=f"{key}.spec", way=way
                )
                for path, key, way, value in found
                if (template := _as_template(value, path)).spec is not None
            )

        return read


def _check_count(count: int, path: str) -> None:
    if count > MOST_TEMPLATES:
        raise msgspec.ValidationError(
            f"at most {MOST_TEMPLATES} pod templates, got {count} - at `$.{path}`"
        )


_Found = tuple[str, str, tuple[str, ...], Any]


def _walk(
    node: Any, steps: tuple[str, ...], path: str, key: str, way: tuple[str, ...]
) -> Iterator[_Found]:
    """Every non-null value at ``steps`` below ``node`` with its path, its key and the way to it."""
    if node is None:
        return
    if not steps:
        yield path, key, way, node
        return
    name = steps[0].removesuffix("[*]")
    child = _expect(dict, node, path).get(name)
    path, key, way = f"{path}.{name}".lstrip("."), f"{key}.{name}".lstrip("."), (*way, name)
    if name == steps[0] or child is None:
        yield from _walk(child, steps[1:], path, key, way)
        return
    if isinstance(child, (dict, list)):
        _check_count(len(child), path)
    if isinstance(child, dict):
        for label, value in child.items():
            yield from _walk(value, steps[1:], f"{path}.{label}", f"{key}.{label}", (*way, label))
        return
    for index, label in enumerate(_labels(_expect(list, child, path))):
        there = (*way, str(index))
        yield from _walk(child[index], steps[1:], f"{path}[{index}]", f"{key}[{label}]", there)


def _labels(elements: list[Any]) -> list[Any]:
    """What tells list elements apart: their names where each has one of its own, else positions.

    Names of which two are alike would let a second template pass for the first.
    """
    names = [one.get("name") if isinstance(one, dict) else None for one in elements]
    if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
        return names
    return list(range(len(elements)))


_JSON = {dict: "object", list: "array", str: "str", bool: "bool", int: "int", float: "float"}


def _expect(kind: type[T], value: Any, path: str) -> T:
    if isinstance(value, kind):
        return value
    got = _JSON[type(value)]
    raise msgspec.ValidationError(f"Expected `{_JSON[kind]}`, got `{got}` - at `$.{path}`")


def _as_template(value: Any, path: str) -> PodTemplateSpec:
    try:
        return msgspec.convert(value, PodTemplateSpec)
    except msgspec.ValidationError as error:
        what, _, below = str(error).partition(" - at `$")
        raise msgspec.ValidationError(f"{what} - at `$.{path}{below.rstrip('`')}`") from None
