"""Who makes the load balancer of a Service, and whether it is internal.

Owns the shape of policies/knowledge/load_balancers.toml and how its entries are interpreted. Knows
no policy: what follows from a public load balancer is for others to say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec

from policies.knowledge import load
from policies.objects import ServiceSpec

LOAD_BALANCER = "LoadBalancer"
"""The Service type."""

_GO_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_GO_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class Marker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An annotation that says internal or public; the fields are those of the table."""

    key: str
    internal: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    parseBool: bool = False
    jsonField: str = ""
    write: str = "true"

    @property
    def example(self) -> str:
        """Key and value for people to write."""
        quote = "'" if '"' in self.write else '"'
        return f"{self.key}: {quote}{self.write}{quote}"

    def is_an_error(self, value: str) -> bool:
        """Whether the controller refuses the value, and so makes no load balancer at all."""
        return self.parseBool and value not in _GO_TRUE and value not in _GO_FALSE

    def says_internal(self, value: str) -> bool:
        if self.jsonField:
            value = _field_of_json(value, self.jsonField)
        if self.parseBool:
            return value in _GO_TRUE
        return value not in self.public if self.public else value in self.internal


def _field_of_json(text: str, field: str) -> str:
    """A text in an object of JSON; "" for anything else."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
    value = found.get(field) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An annotation that chooses who makes the load balancer."""

    key: str
    values: tuple[str, ...]
    anyCase: bool = False

    def matches(self, annotations: Mapping[str, str]) -> bool:
        value = annotations.get(self.key)
        if value is None:
            return False
        return (value.lower() if self.anyCase else value) in self.values


class Controller(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What turns a Service into a load balancer; the fields are those of the table."""

    title: str
    source: str
    classes: tuple[str, ...] = ()
    select: Select | None = None
    setsClass: bool = False
    anyType: bool = False
    markers: tuple[Marker, ...] = ()
    default: Literal["public", "internal"] = "public"
    overrides: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    keeps: bool = False
    fixed: bool = False
    addresses: tuple[str, ...] = ()
    direct: tuple[Select, ...] = ()
    sourceRanges: bool = False
    rangeAnnotations: tuple[str, ...] = ()
    voids: tuple[str, ...] = ()

    def selected(self, annotations: Mapping[str, str]) -> bool:
        return self.select is not None and self.select.matches(annotations)

    def refuses(self, annotations: Mapping[str, str]) -> bool:
        """Whether a value is an error to it, so that it makes no load balancer."""
        return any(
            one.key in annotations and one.is_an_error(annotations[one.key]) for one in self.markers
        )


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cloud, or something in the cluster that makes load balancers."""

    title: str
    controllers: tuple[Controller, ...]
    nodes: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    inCluster: bool = False

    def controller(self, annotations: Mapping[str, str]) -> Controller:
        """Which of its controllers serves a Service without a class."""
        chosen = (one for one in self.controllers if one.selected(annotations))
        return next(chosen, self.controllers[-1])

    def possible(self, annotations: Mapping[str, str]) -> tuple[Controller, ...]:
        """The same where controllers may yet set their class on the Service, as in a manifest."""
        if any(one.select and one.select.key in annotations for one in self.controllers):
            return (self.controller(annotations),)
        others = (one for one in self.controllers if one.setsClass and not one.refuses(annotations))
        return (*others, self.controllers[-1])

    @property
    def keys(self) -> frozenset[str]:
        """The annotations by which its load balancers are chosen or told how far to reach."""
        keys = {key for one in self.controllers for key in one.overrides}
        keys |= {marker.key for one in self.controllers for marker in one.markers}
        return frozenset(keys | {one.select.key for one in self.controllers if one.select})


class StatusWriter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user or group that writes status.loadBalancer."""

    name: str
    source: str
    provider: str = ""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of load_balancers.toml."""

    providers: dict[str, Provider]
    statusWriters: tuple[StatusWriter, ...]


TABLE = load("load_balancers", Table)
PROVIDERS: Mapping[str, Provider] = TABLE.providers
STATUS_WRITERS = frozenset(one.name for one in TABLE.statusWriters)
"""The users and groups that load balancer controllers are known to act as."""
_KEYS = tuple((one, one.keys) for one in PROVIDERS.values())
_BY_NODES = {node: one for one in PROVIDERS.values() for node in one.nodes}
_BY_CLASS = {
    name: (provider, controller)
    for provider in PROVIDERS.values()
    for controller in provider.controllers
    for name in controller.classes
}
_CONTROLLERS = tuple(one for provider in PROVIDERS.values() for one in provider.controllers)
_DIRECT = tuple(
    (provider, one) for provider in PROVIDERS.values() for one in provider.controllers if one.direct
)
_OF_ANY_TYPE = tuple(one for one in _CONTROLLERS if one.anyType)
RANGE_ANNOTATIONS = tuple(sorted({key for one in _CONTROLLERS for key in one.rangeAnnotations}))
"""Annotations with CIDRs that some controller reads where the field for them is empty."""
WRITTEN = frozenset({key for one in _CONTROLLERS for key in one.writes})
"""Annotations that controllers write: they choose something only on a new load balancer."""
ADDRESSES = tuple(sorted({key for one in _CONTROLLERS for key in one.addresses}))
"""Annotations with addresses that some controller makes the load balancer answer for."""
VOIDS = tuple(sorted({key for one in _CONTROLLERS for key in one.voids}))
"""Annotations that make some controller let in more than the source ranges."""


class Said(NamedTuple):
    """What a controller makes of a Service, and the annotation that decided; "" for its default.

    known: False where an annotation makes the reach a thing that the Service does not tell.
    """

    controller: Controller
    internal: bool
    key: str = ""
    known: bool = True


def says(controller: Controller, annotations: Mapping[str, str]) -> Said:
    """How far the load balancer that this controller makes can be reached."""
    for key in controller.overrides:
        if key in annotations:
            return Said(controller, False, key, known=False)
    for marker in controller.markers:
        value = annotations.get(marker.key)
        if value is not None:
            return Said(controller, marker.says_internal(value), marker.key)
    return Said(controller, controller.default == "internal")


def is_load_balanced(spec: ServiceSpec, annotations: Mapping[str, str]) -> bool:
    """Whether the Service asks for a load balancer: by its type, or by an annotation alone."""
    if spec.type == LOAD_BALANCER:
        return True
    return bool(annotations) and any(one.selected(annotations) for one in _OF_ANY_TYPE)


def reaches_pods(spec: ServiceSpec, annotations: Mapping[str, str]) -> bool:
    """Whether the load balancer is told to reach pods directly, and so needs no node ports."""
    for provider, controller in _DIRECT:
        if any(select.matches(annotations) for select in controller.direct):
            if spec.loadBalancerClass:
                return of_class(spec.loadBalancerClass) is controller
            return provider.possible(annotations)[0] is controller
    return False


def detect(nodes: Collection[str]) -> tuple[Provider, ...]:
    """The providers behind the beginnings of spec.providerID (``aws``, ``ocid1.instance...``)."""
    found = {_BY_NODES.get(node.partition(".")[0]) for node in nodes}
    return tuple(sorted(filter(None, found), key=lambda provider: provider.title))


def of_class(name: str, provider: Provider | None = None) -> Controller | None:
    """The controller that a spec.loadBalancerClass selects, among those of ``provider`` if given.

    Every other controller must ignore such a Service (Kubernetes API, spec.loadBalancerClass).
    """
    owner, controller = _BY_CLASS.get(name, (None, None))
    return controller if provider is None or owner is provider else None


def anywhere(annotations: Mapping[str, str]) -> Iterator[Said]:
    """What every provider says whose own annotations the Service has: for an unknown provider.

    Where the Service itself chooses the controller, only that one speaks, by its default too. Of
    the others a default makes it public, but only an annotation makes it internal.
    """
    for provider, keys in _KEYS:
        if keys.isdisjoint(annotations):
            continue
        said = [says(one, annotations) for one in provider.possible(annotations)]
        spoken = [one for one in said if one.key or one.controller.selected(annotations)]
        yield from spoken or [one for one in said if not one.internal]


def addressed(annotations: Mapping[str, str]) -> Controller | None:
    """Whom the Service is written for, by what its annotations begin with; None if for several.

    Good enough for advice: it tells neither who makes the load balancer nor how far it reaches.
    """
    found = [
        one
        for one in PROVIDERS.values()
        if any(key.startswith(one.prefixes) for key in annotations)
    ]
    return found[0].controller(annotations) if len(found) == 1 else None


def said_internal(annotations: Mapping[str, str]) -> Said | None:
    """The first controller of any provider to which an annotation says internal."""
    for controller in _CONTROLLERS:
        said = says(controller, annotations)
        if said.internal and said.key:
            return said
    return None
