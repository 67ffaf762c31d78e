"""The NetworkPolicies of a namespace: what they are, whether they are there, whether it is covered.

`allow-dns` comes first and `default-deny` last: applied in this order, no pod is ever without DNS,
and a namespace that has the last one has them all.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

import msgspec

from policies.baseline import cni, dns, meshes, presets, verbatim
from policies.baseline.config import Baseline, BaselineConfig
from policies.baseline.facts import Facts
from policies.baseline.grants import Grant, Json, Problem, spec
from policies.network_policies.managed import (
    ALLOW_DNS,
    BASELINE,
    DEFAULT_DENY,
    MANAGED_BY,
    NAMESPACE_UID,
    NETREEVE,
)

DENY_SPEC: Json = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
WHY = "netreeve.io/why"
LONGEST_SPEC = 8192
"""Bytes of JSON."""


class Namespace(NamedTuple):
    """A namespace as the baseline sees it."""

    name: str
    uid: str
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


class Generated(NamedTuple):
    """A NetworkPolicy that a namespace shall have. why: one line for each of its rules."""

    name: str
    spec: Json
    why: tuple[str, ...]


class Observed(NamedTuple):
    """A NetworkPolicy as the API server has it; spec is its plain JSON, `shortened` or whole."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, object]


class Environment(NamedTuple):
    """What is concluded from the facts, once for all namespaces."""

    config: BaselineConfig
    facts: Facts
    cni: cni.Enforcement
    dns: dns.Resolved


class Plan(NamedTuple):
    """What a namespace shall have, in the order in which it is applied.

    hold: no DNS was found, and nothing is to be done: neither for this namespace nor to what it
    has already.
    """

    generated: tuple[Generated, ...]
    problems: tuple[Problem, ...]
    hold: bool


def environment(config: BaselineConfig, facts: Facts) -> Environment:
    """To be made anew whenever the facts or the configuration change."""
    enforced = cni.enforcement(facts)
    resolved = dns.resolve(
        config.dns,
        facts,
        ip_blocks_match_pods=enforced.ip_blocks_match_pods,
        ip_blocks_match_nodes=enforced.ip_blocks_match_nodes,
    )
    return Environment(config, facts, enforced, resolved)


def plan(environment: Environment, baseline: Baseline, namespace: Namespace) -> Plan:
    """The NetworkPolicies of a namespace under a baseline, and what a person should know."""
    problems = _problems(environment, baseline, namespace)
    grants = environment.dns.grants
    if not grants and environment.config.dns.whenNotFound == "hold":
        return Plan((), problems, hold=True)
    allow_dns = (_generated(ALLOW_DNS, grants),) if grants else ()
    extras = _extras(environment, baseline, namespace)
    deny = Generated(
        DEFAULT_DENY, DENY_SPEC, ("everything that no other NetworkPolicy allows is denied",)
    )
    return Plan((*allow_dns, *extras, deny), problems, hold=False)


def _extras(
    environment: Environment, baseline: Baseline, namespace: Namespace
) -> tuple[Generated, ...]:
    """What its meshes need, then the presets, then what is written out; each where it opens."""
    config, facts = environment.config, environment.facts
    modes = _modes(baseline, namespace)
    return (
        *(
            _generated(one.name, one.grants, one.pods)
            for one in meshes.needs(modes, config.controlPlanes, facts)
        ),
        *(
            _generated(one.name, one.grants)
            for one in presets.opened(baseline.allow, facts, meshes.tunnels(modes))
            if one.grants
        ),
        *(
            Generated(name, verbatim.defaulted(written), (f"configured: policies.{name}",))
            for name, written in sorted(baseline.policies.items())
        ),
    )


def _problems(
    environment: Environment, baseline: Baseline, namespace: Namespace
) -> tuple[Problem, ...]:
    config, facts = environment.config, environment.facts
    modes = _modes(baseline, namespace)
    return (
        *environment.dns.problems,
        *meshes.problems(modes, config.controlPlanes, facts),
        *presets.problems(
            baseline.allow, facts, ip_blocks_match_nodes=environment.cni.ip_blocks_match_nodes
        ),
    )


def _modes(baseline: Baseline, namespace: Namespace) -> frozenset[meshes.Mode]:
    return meshes.modes(namespace.labels, namespace.annotations) | frozenset(baseline.meshes)


def _generated(name: str, grants: Iterable[Grant], pods: Mapping[str, str] = {}) -> Generated:
    grants = tuple(grants)
    return Generated(name, spec(grants, pods), tuple(grant.why for grant in grants))


def manifest(generated: Generated, namespace: Namespace, baseline: str) -> Json:
    """The whole object, to be applied; ``baseline``: the name it goes by."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": generated.name,
            "namespace": namespace.name,
            "labels": {MANAGED_BY: NETREEVE, BASELINE: baseline},
            "annotations": {NAMESPACE_UID: namespace.uid, WHY: "\n".join(generated.why)},
        },
        "spec": copy.deepcopy(generated.spec),
    }


def shortened(spec: Mapping[str, object]) -> Mapping[str, object]:
    """As much of a spec as can be kept of any number: of a long one its hash.

    No baseline of ours has a long one; those of an administrator, and of forgers, may.
    """
    text = msgspec.json.encode(spec, order="sorted")
    return spec if len(text) <= LONGEST_SPEC else {"sha256": sha256(text).hexdigest()}


def is_as_wanted(
    observed: Observed, generated: Generated, namespace: Namespace, baseline: str
) -> bool:
    """Whether nothing has to be written: what it does and whose it is are as generated.

    Labels and annotations of others may be there, and the reasons may be worded differently.
    """
    return (
        observed.name == generated.name
        and observed.spec in (generated.spec, shortened(generated.spec))
        and observed.labels.get(BASELINE) == baseline
        and _is_of(observed, namespace)
    )


def is_covered(namespace: Namespace, policies: Iterable[Observed]) -> bool:
    """Whether a namespace has the default deny that Netreeve made for it, unchanged.

    Of whichever baseline. It is applied last, so the others are, or were, there as well.
    """
    return any(
        one.name == DEFAULT_DENY and one.spec == DENY_SPEC and _is_of(one, namespace)
        for one in policies
    )


def _is_of(observed: Observed, namespace: Namespace) -> bool:
    """Ours, and for this very namespace: not from a backup, nor of one that bore its name."""
    return (
        observed.labels.get(MANAGED_BY) == NETREEVE
        and BASELINE in observed.labels
        and observed.annotations.get(NAMESPACE_UID) == namespace.uid
    )
