"""Whether NetworkPolicies are enforced in this cluster, by the fingerprints of CNI plugins.

Owns the shape of policies/knowledge/cnis.toml. Presence proves no enforcement: the answer is the
best that can be said without sending a packet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

import msgspec

from policies.baseline.facts import DaemonSet, Facts
from policies.knowledge import load
from policies.objects import Labels

State = Literal["enforcing", "not-enforcing", "unknown"]


class _When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enforces: State
    reason: str
    container: str | None = None
    flag: str | None = None
    value: str | None = None
    configMap: str | None = None
    key: str = ""
    values: tuple[str, ...] = ()
    nodeFlag: str | None = None
    imageBefore: str | None = None


class _NodeBlocks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    configMap: str
    key: str
    text: str


class _Cni(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    source: str
    enforces: State
    reason: str
    daemonSets: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    kubelet: str | None = None
    node: Labels = {}
    group: str | None = None
    fallback: bool = False
    ownNodes: bool = False
    when: tuple[_When, ...] = ()
    ipBlocksMatchPods: bool = True
    nodeBlocks: _NodeBlocks | None = None
    notes: tuple[str, ...] = ()


class _NodeNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    note: str
    os: str | None = None
    labels: Labels = {}


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    namespaces: frozenset[str]
    cnis: tuple[_Cni, ...]
    nodes: tuple[_NodeNote, ...]


TABLE = load("cnis", _Table)


class Plugin(NamedTuple):
    """A CNI plugin that was found. evidence: what it was recognised by, and what decided."""

    title: str
    state: State
    reason: str
    evidence: tuple[str, ...]


class Enforcement(NamedTuple):
    """The answer for the cluster, from those of its plugins: one that enforces is enough for the
    nodes that share them.

    ip_blocks_match_pods: false where a plugin that enforces never matches pods by address;
    ip_blocks_match_nodes: nodes neither.
    """

    state: State
    reason: str
    plugins: tuple[Plugin, ...]
    notes: tuple[str, ...]
    ip_blocks_match_pods: bool
    ip_blocks_match_nodes: bool


class _Found(NamedTuple):
    """A fingerprint that matched: the DaemonSets that did, and what to say of it."""

    cni: _Cni
    daemon_sets: tuple[DaemonSet, ...]
    evidence: tuple[str, ...]


def enforcement(facts: Facts) -> Enforcement:
    """Whether NetworkPolicies are enforced, as far as the facts tell."""
    matching = [one for cni in TABLE.cnis for one in _match(cni, facts)]
    found = [one for one in matching if not one.cni.fallback] or matching
    plugins = tuple(_judge(one, facts) for one in found)
    decisive = _decisive(list(zip(found, plugins, strict=True)))
    notes = [note for one in found for note in one.cni.notes]
    labels_only = [
        one.cni
        for one, plugin in zip(found, plugins, strict=True)
        if not one.cni.ipBlocksMatchPods and plugin.state == "enforcing"
    ]
    return Enforcement(
        decisive.state,
        decisive.reason,
        plugins,
        (*notes, *_of_nodes(facts)),
        not labels_only,
        all(_matches_nodes(one, facts) for one in labels_only),
    )


def _decisive(plugins: list[tuple[_Found, Plugin]]) -> Plugin:
    """The best of those that share their nodes; where nodes have different ones, the worst."""
    shared = _best([plugin for found, plugin in plugins if not found.cni.ownNodes])
    own = _best([plugin for found, plugin in plugins if found.cni.ownNodes])
    sides = [one for one in (shared, own) if one is not None]
    if not sides:
        return Plugin("", "unknown", "no CNI plugin was recognised", ())
    worst = max(sides, key=lambda one: _STATES.index(one.state))
    if len({one.state for one in sides}) > 1:
        return worst._replace(reason=f"on some of the nodes: {worst.reason}")
    return worst


_STATES: tuple[State, ...] = ("enforcing", "unknown", "not-enforcing")


def _best(plugins: list[Plugin]) -> Plugin | None:
    for state in ("enforcing", "not-enforcing", "unknown"):
        for one in plugins:
            if one.state == state:
                return one
    return None


def _matches_nodes(cni: _Cni, facts: Facts) -> bool:
    wanted = cni.nodeBlocks
    return wanted is not None and any(
        f"{one.namespace}/{one.name}" == wanted.configMap
        and wanted.text in one.data.get(wanted.key, "")
        for one in facts.config_maps
    )


def _match(cni: _Cni, facts: Facts) -> Iterator[_Found]:
    """The fingerprint, if it matches, once."""
    daemon_sets = tuple(
        one
        for one in facts.daemon_sets
        if one.runs and one.namespace in TABLE.namespaces and _is(one, cni)
    )
    evidence = [f"DaemonSet {one.namespace}/{one.name}" for one in daemon_sets]
    kubelets = {one.kubelet for one in facts.nodes if cni.kubelet and cni.kubelet in one.kubelet}
    evidence += [f"kubelet {version}" for version in sorted(kubelets)]
    if cni.node and any(cni.node.items() <= one.labels.items() for one in facts.nodes):
        evidence += [f"node label {key}={value}" for key, value in cni.node.items()]
    if cni.group in facts.groups:
        evidence.append(f"API group {cni.group}")
    if evidence:
        yield _Found(cni, daemon_sets, tuple(evidence))


def _is(daemon_set: DaemonSet, cni: _Cni) -> bool:
    return daemon_set.name in cni.daemonSets or any(
        one.name in cni.containers for one in daemon_set.containers
    )


def _judge(found: _Found, facts: Facts) -> Plugin:
    for when in found.cni.when:
        evidence = _evidence(when, found.daemon_sets, facts)
        if evidence:
            said = (*found.evidence, evidence)
            return Plugin(found.cni.title, when.enforces, when.reason, said)
    return Plugin(found.cni.title, found.cni.enforces, found.cni.reason, found.evidence)


def _evidence(when: _When, daemon_sets: Iterable[DaemonSet], facts: Facts) -> str:
    """What makes a condition hold; "" if it does not."""
    if when.configMap is not None:
        return _in_config_map(when, facts)
    if when.nodeFlag is not None:
        told = any(when.nodeFlag in _flags(node.arguments) for node in facts.nodes)
        return f"nodes were started with {when.nodeFlag}" if told else ""
    for container in (one for daemon_set in daemon_sets for one in daemon_set.containers):
        if when.container == container.name:
            return f"container {container.name}"
        if when.flag is not None and f"{when.flag}={when.value}" in container.arguments:
            return f"container {container.name}: {when.flag}={when.value}"
        if when.imageBefore is not None and _is_before(container.image, when.imageBefore):
            return f"image {container.image}"
    return ""


def _in_config_map(when: _When, facts: Facts) -> str:
    for one in facts.config_maps:
        value = one.data.get(when.key)
        if f"{one.namespace}/{one.name}" == when.configMap and value in when.values:
            return f"ConfigMap {when.configMap}: {when.key} is {value}"
    return ""


def _flags(arguments: Iterable[str]) -> set[str]:
    """The arguments that switch something on: neither --flag=false nor, as k3s writes it, false."""
    pairs = pairwise((*arguments, ""))
    return {one.removesuffix("=true") for one, value in pairs if value != "false"}


_DATE_TAG = re.compile(r":(v\d{8})(?:-|$)")


def _is_before(image: str, tag: str) -> bool:
    dated = _DATE_TAG.search(image)
    return dated is not None and dated[1] < tag


def _of_nodes(facts: Facts) -> Iterator[str]:
    for one in TABLE.nodes:
        if any(
            node.os == one.os if one.os else one.labels.items() <= node.labels.items()
            for node in facts.nodes
        ):
            yield one.note
