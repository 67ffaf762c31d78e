"""Where the pod spec sits in every kind, and every container in it with its field path.

Owns the kinds with pod templates and the PodView that policies on pods judge. Custom kinds are
configured by path; see `CustomWorkload`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from policies.model import UPDATE, WRITES, Rule
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


class PlacedContainer(NamedTuple):
    """A container and its field path, such as ``spec.initContainers[0]``."""

    path: str
    container: Container


class PodView:
    """A pod, or the template of one, as the policies on pods see it.

    path: of the pod spec inside the object (``spec.template.spec``), so messages point there.
    metadata: of the pod or its template, not of the object that holds the template.
    is_pod: a Pod itself and not a template.
    """

    __slots__ = ("_containers", "is_pod", "metadata", "path", "spec")

    def __init__(
        self, path: str, metadata: ObjectMeta | None, spec: PodSpec, *, is_pod: bool = False
    ) -> None:
        self.path = path
        self.metadata = metadata or ObjectMeta()
        self.spec = spec
        self.is_pod = is_pod
        self._containers: list[PlacedContainer] | None = None

    @property
    def containers(self) -> list[PlacedContainer]:
        """Init, main and ephemeral containers in this order; sidecars are init containers."""
        if self._containers is None:
            spec, path = self.spec, self.path
            self._containers = [
                PlacedContainer(f"{path}.{name}[{index}]", container)
                for name, containers in (
                    ("initContainers", spec.initContainers),
                    ("containers", spec.containers),
                    ("ephemeralContainers", spec.ephemeralContainers),
                )
                if containers
                for index, container in enumerate(containers)
            ]
        return self._containers


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


class CustomWorkload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A custom resource with pod templates.

    group, resource: as in its API path (``argoproj.io``, ``rollouts``); kind: ``Rollout``.
    path: of the pod template, ``[*]`` for every element of a list:
        ``spec.template``, ``spec.replicatedJobs[*].template.spec.template``.
    """

    group: str
    resource: str
    kind: str
    path: str

    def reader(self) -> Callable[[Any], tuple[PodView, ...]]:
        """A function from the object, decoded without a type, to its pods.

        It raises msgspec.ValidationError where a template is not shaped like one.
        """
        steps = self.path.split(".")

        def read(obj: Any) -> tuple[PodView, ...]:
            return tuple(
                PodView(f"{path}.spec", template.metadata, template.spec)
                for path, value in _walk(obj, steps, "")
                if (template := msgspec.convert(value, PodTemplateSpec)).spec is not None
            )

        return read


def _walk(node: Any, steps: Sequence[str], path: str) -> Iterator[tuple[str, Any]]:
    """Every non-null value at ``steps`` below ``node``; an absent field has none."""
    if node is None:
        return
    if not steps:
        yield path, node
        return
    step, rest = steps[0], steps[1:]
    name = step.removesuffix("[*]")
    if not isinstance(node, dict):
        raise msgspec.ValidationError(f"Expected `object` - at `$.{path}`")
    child, path = node.get(name), f"{path}.{name}".lstrip(".")
    if name == step or child is None:
        yield from _walk(child, rest, path)
        return
    if not isinstance(child, list):
        raise msgspec.ValidationError(f"Expected `array` - at `$.{path}`")
    for index, element in enumerate(child):
        yield from _walk(element, rest, f"{path}[{index}]")
