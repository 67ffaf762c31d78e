"""Which contacts a baseline would end. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple, TypeAlias

import msgspec

from policies.baseline.grants import Json
from policies.network_policies.effective import Flow, allowed
from policies.network_policies.views import NetworkPolicy
from webhook.audit.baseline.cluster import Actor, Cluster
from webhook.audit.baseline.contacts import Contact
from webhook.audit.baseline.remedy import Remedy, remedy

Policies: TypeAlias = dict[str, list[NetworkPolicy]]


class Severed(NamedTuple):
    """A connection that is allowed now and would not be. evidence: every way it is known."""

    source: str
    target: str
    protocol: str
    port: int
    evidence: tuple[str, ...]
    remedy: Remedy


def severed(
    cluster: Cluster,
    namespace: str,
    generated: Iterable[Json],
    contacts: Iterable[Contact],
    *,
    without: Collection[str] = (),
    ip_blocks_match_pods: bool,
) -> tuple[Severed, ...]:
    """generated: the manifests that the namespace would get beside what is there.

    without: the names of the policies that it would lose.
    """
    now = _by_namespace(cluster.policies)
    made = [msgspec.convert(one, NetworkPolicy) for one in generated]
    kept = [one for one in now.get(namespace, ()) if _name(one) not in without]
    planned = {**now, namespace: [*kept, *made]}

    def passes(policies: Policies, one: Contact) -> bool:
        ends = {end.namespace for end in (one.source, one.target) if isinstance(end, Actor)}
        speaking = [policy for name in ends for policy in policies.get(name, ())]
        return any(
            allowed(speaking, flow, ip_blocks_match_pods=ip_blocks_match_pods)
            for flow in _flows(cluster, one)
        )

    return tuple(
        Severed(
            *key,
            tuple(dict.fromkeys(one.evidence for one in same)),
            remedy(same[0], namespace, cluster.node_addresses),
        )
        for key, same in sorted(_by_connection(contacts).items())
        if passes(now, same[0]) and not passes(planned, same[0])
    )


def _by_namespace(policies: Iterable[NetworkPolicy]) -> Policies:
    found: Policies = {}
    for one in policies:
        found.setdefault((one.metadata and one.metadata.namespace) or "", []).append(one)
    return found


def _by_connection(contacts: Iterable[Contact]) -> dict[tuple[str, str, str, int], list[Contact]]:
    """Source, target, protocol and port."""
    found: dict[tuple[str, str, str, int], list[Contact]] = {}
    for one in contacts:
        key = (one.source.title, one.target.title, one.protocol, one.port)
        found.setdefault(key, []).append(one)
    return found


def _name(policy: NetworkPolicy) -> str:
    return (policy.metadata and policy.metadata.name) or ""


def _flows(cluster: Cluster, one: Contact) -> list[Flow]:
    return [
        Flow(source, target, one.protocol, one.port)
        for source in cluster.parties(one.source)
        for target in cluster.parties(one.target)
    ]
