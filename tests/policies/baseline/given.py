"""Reads tests/policies/baseline/cases: clusters as the API server shows them, and what must hold.

The first document of a file is the Case, the others are objects. Pods are there only as the truth
to compare with: the baseline never looks at one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from policies.baseline import objects
from policies.baseline.collect import sources
from policies.baseline.config import BaselineConfig
from policies.baseline.dns import namespaces
from policies.baseline.facts import Facts, Kept, gather
from policies.baseline.objects import Environment, Namespace, Plan
from policies.labels import NAME_LABEL
from policies.network_policies.effective import External, Party, Pods

Json = dict[str, Any]
FOLDER = Path(__file__).parent / "cases"
UID = "0b3f4c6a-91d5-4c34-8d0e-6a1f1b1c2d3e"


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The other end of a connection, by the name of a pod or by address."""

    pod: str | None = None
    address: str | None = None
    port: int = 0
    protocols: tuple[str, ...] = ("UDP", "TCP")
    everyPort: bool = False


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file says beside its objects.

    cluster: another file, whose objects are there as well. namespace: its metadata.
    namespaces: those of control planes that exist. cilium: it is the CNI plugin.
    resolvers: where queries end up, to be reached over UDP and TCP.
    alsoAllowed, admits: whom else pods reach, and who reaches them. denied: is tried as well.
    everythingOut: all of it can be reached.
    """

    title: str
    cluster: str | None = None
    config: Json = {}
    namespace: Json = {}
    namespaces: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    baseline: str = "default-deny"
    cilium: bool = False
    everythingOut: bool = False
    resolvers: tuple[End, ...] = ()
    alsoAllowed: tuple[End, ...] = ()
    admits: tuple[End, ...] = ()
    denied: tuple[End, ...] = ()


class Given:
    """A case with its objects, and what is made of them."""

    def __init__(self, name: str) -> None:
        self.name = name
        head, *manifests = _documents(name)
        self.case = msgspec.convert(head, Case)
        if self.case.cluster:
            manifests = _documents(self.case.cluster)[1:] + manifests
        self.manifests: list[Json] = manifests
        self.config = msgspec.convert(self.case.config, BaselineConfig)
        metadata = self.case.namespace
        self.namespace = Namespace(
            "shop",
            UID,
            {NAME_LABEL: "shop", **metadata.get("labels", {})},
            metadata.get("annotations", {}),
        )

    def kept(self) -> list[Kept]:
        """What a controller keeps that follows exactly the sources."""
        return list(collected(self.manifests, self.config))

    def facts(self) -> Facts:
        return gather(self.kept(), namespaces=self.case.namespaces, groups=self.case.groups)

    def environment(self) -> Environment:
        return objects.environment(self.config, self.facts())

    def plan(self) -> Plan:
        baseline = self.config.baseline(self.case.baseline)
        assert baseline is not None
        return objects.plan(self.environment(), baseline, self.namespace)

    def manifests_wanted(self) -> list[Json]:
        return [
            objects.manifest(one, self.namespace, self.case.baseline)
            for one in self.plan().generated
        ]

    def parties(self) -> dict[str, Party]:
        """Every pod by name."""
        return {
            one["metadata"]["name"]: Pods(
                one["metadata"]["namespace"],
                {NAME_LABEL: one["metadata"]["namespace"]},
                one["metadata"].get("labels", {}),
                tuple(ip["ip"] for ip in one["status"]["podIPs"]),
            )
            for one in self.manifests
            if one["kind"] == "Pod"
        }

    def party(self, end: End) -> Party:
        if end.pod is not None:
            return self.parties()[end.pod]
        assert end.address is not None
        return External(end.address)


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def _documents(name: str) -> list[Json]:
    return list(yaml.load_all((FOLDER / f"{name}.yaml").read_text(), yaml.CSafeLoader))


def collected(manifests: list[Json], config: BaselineConfig) -> Iterator[Kept]:
    """The objects that the sources select, as the API server would, decoded and kept."""
    for source in sources(namespaces(config.dns)):
        for one in manifests:
            metadata = one["metadata"]
            if (
                one["kind"].lower() + "s" == source.resource
                and source.namespace in ("", metadata.get("namespace", ""))
                and source.name in ("", metadata["name"])
                and source.service
                in ("", (metadata.get("labels") or {}).get("kubernetes.io/service-name"))
            ):
                yield source.keep(msgspec.json.decode(msgspec.json.encode(one), type=source.view))
