"""The table of meshes as types: which key switches which mesh, and where no mesh belongs.

Owns the shape of policies/knowledge/meshes.toml and how its keys are read from an object. Knows
neither what is injected nor what is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec

from policies.knowledge import load
from policies.namespaces.system import SYSTEM_NAMESPACES
from policies.objects import ObjectMeta

Scope = Literal["namespace", "pod"]
Place = Literal["labels", "annotations"]
State = Literal["on", "off", "unknown"]
PLACES: tuple[Place, ...] = ("labels", "annotations")


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one kind of mesh needs set; value is None where the configuration gives it."""

    target: Scope
    key: str
    value: str | None = None


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One label or annotation by which a mesh is switched; the fields are those of the table."""

    name: str
    mesh: str
    mode: str
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    namespace: tuple[Place, ...] = ()
    pod: tuple[Place, ...] = ()
    written: tuple[Place, ...] = ()
    ended: str | None = None

    def places(self, scope: Scope) -> tuple[Place, ...]:
        """Where the mesh reads this key on a namespace or a pod, the preferred place first."""
        return self.namespace if scope == "namespace" else self.pod

    def state(self, value: str) -> State | None:
        """What the value means to the mesh; None if it means nothing at all."""
        if value in self.off:
            return "off"
        if value in self.on or ("*" in self.on and value):
            return "on"
        return "unknown" if self.on else None


class Never(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where no mesh belongs: names and prefixes of namespaces, labels, container names.

    Beside SYSTEM_NAMESPACES, which `is_off_limits` adds.
    """

    namespaces: frozenset[str]
    prefixes: tuple[str, ...]
    labels: frozenset[str]
    proxies: frozenset[str]


class Meshes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole table."""

    kinds: dict[str, Kind]
    keys: tuple[Key, ...]
    hints: dict[str, str]
    never: Never


MESHES = load("meshes", Meshes)
KEYS: Mapping[str, Key] = {key.name: key for key in MESHES.keys}
_NAMES = frozenset(KEYS)


class Setting(NamedTuple):
    """A key as found on an object: where, with which value, and what that means to the mesh."""

    key: Key
    place: Place
    value: str
    state: State


def values(meta: ObjectMeta, place: Place) -> Mapping[str, str]:
    """The labels or the annotations; empty when absent."""
    return (meta.labels if place == "labels" else meta.annotations) or {}


def mentions_a_mesh(*maps: Mapping[str, str] | None) -> bool:
    """Whether labels or annotations hold any key of any mesh, with whatever value.

    A key in a place where no mesh reads it counts: it still says what its owner wants.
    """
    return not all(_NAMES.isdisjoint(one or ()) for one in maps)


def hints_at_another(mode: str, *maps: Mapping[str, str] | None) -> bool:
    """Whether labels or annotations hold a key that only makes sense in another data plane."""
    return any(
        other != mode and any(name in (one or ()) for one in maps)
        for name, other in MESHES.hints.items()
    )


def settings(meta: ObjectMeta, scope: Scope) -> Iterator[Setting]:
    """Every key that a mesh reads on this object, once, from its preferred place; in table order.

    Keys of meshes that ended are left out: they switch nothing.
    """
    for key in MESHES.keys:
        for place in key.places(scope):
            value = values(meta, place).get(key.name)
            if value is not None:
                state = key.state(value)
                if state is not None and not key.ended:
                    yield Setting(key, place, value, state)
                break


def name_so_far(meta: ObjectMeta) -> str:
    """The name of a namespace; ends in ``*`` where the API server has yet to complete it.

    So reserved prefixes hold for it, and whole names do not: it will be longer than generateName.
    """
    return meta.name or f"{meta.generateName or ''}*"


def is_off_limits(name: str) -> bool:
    """Whether no mesh belongs in the namespace of this name: of the system, a mesh or a CNI."""
    never = MESHES.never
    return name in SYSTEM_NAMESPACES or name in never.namespaces or name.startswith(never.prefixes)
