"""Which contacts a baseline would end, and what would allow them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from typing import Any, NamedTuple

import msgspec

from policies.baseline.grants import Grant, Json, Port, pods_in, spec
from policies.network_policies.effective import Direction, Flow, allowed
from policies.network_policies.views import NetworkPolicy
from webhook.audit.baseline.cluster import Actor, Cluster, End, Outside, Somebody
from webhook.audit.baseline.contacts import Contact, is_public


class Remedy(NamedTuple):
    """What would keep a connection. text: for people.

    allow: presets of a baseline, as its configuration writes them. policy: the spec of a
    NetworkPolicy for the namespace. One of them is None.
    """

    text: str
    allow: Mapping[str, Any] | None = None
    policy: Json | None = None


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
    ip_blocks_match_pods: bool,
) -> tuple[Severed, ...]:
    """generated: the manifests that the namespace would get beside what is there."""
    now: dict[str, list[NetworkPolicy]] = {}
    for policy in cluster.policies:
        now.setdefault((policy.metadata and policy.metadata.namespace) or "", []).append(policy)
    made = [msgspec.convert(one, NetworkPolicy) for one in generated]
    planned = {**now, namespace: [*now.get(namespace, ()), *made]}
    found: dict[tuple[str, str, str, int], list[Contact]] = {}
    for one in contacts:
        key = (one.source.title, one.target.title, one.protocol, one.port)
        found.setdefault(key, []).append(one)

    def passes(policies: Mapping[str, list[NetworkPolicy]], one: Contact) -> bool:
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
            remedy(same[0], namespace),
        )
        for key, same in sorted(found.items())
        if passes(now, same[0]) and not passes(planned, same[0])
    )


def _flows(cluster: Cluster, one: Contact) -> list[Flow]:
    return [
        Flow(source, target, one.protocol, one.port)
        for source in cluster.parties(one.source)
        for target in cluster.parties(one.target)
    ]


# --- What would allow it


def remedy(one: Contact, namespace: str) -> Remedy:
    """A preset where one fits, since it says what it is for; else a NetworkPolicy of one's own."""
    if _is_in(one.source, namespace) and _is_in(one.target, namespace):
        return _preset({"sameNamespace": True})
    purpose = _PURPOSES.get(one.purpose)
    return (purpose(one) if purpose else None) or _outward(one) or _policy(one, namespace)


def _is_in(end: End, namespace: str) -> bool:
    return isinstance(end, Actor) and end.namespace == namespace and not end.host_network


def _preset(allow: Mapping[str, Any]) -> Remedy:
    written = msgspec.json.encode(allow).decode().replace('"', "")
    return Remedy(f"allow: {written.replace(':', ': ').replace(',', ', ')}", allow)


def _front(one: Contact) -> Remedy | None:
    return _namespaced("ingressControllers", one.source, "in which it runs")


def _metrics(one: Contact) -> Remedy | None:
    return _namespaced("monitoring", one.source, "in which Prometheus runs")


def _namespaced(preset: str, source: End, where: str) -> Remedy | None:
    if isinstance(source, Actor) and not source.host_network:
        return _preset({preset: {"namespaces": [source.namespace]}})
    if isinstance(source, Somebody) and not source.namespaces:
        return Remedy(f"allow.{preset} with the namespaces {where}", {preset: {"namespaces": []}})
    if isinstance(source, Actor):
        return Remedy(
            f"allow.{preset} with the cidrs of the nodes, whose network it uses",
            {preset: {"cidrs": []}},
        )
    return None


def _api_server(one: Contact) -> Remedy | None:
    return _preset({"apiServer": True})


def _outward(one: Contact) -> Remedy | None:
    target = one.target
    if isinstance(target, Outside) and one.protocol == "TCP" and is_public(target.address):
        return _preset({"internet": {"ports": [one.port]}})
    return None


_PURPOSES: Mapping[str, Callable[[Contact], Remedy | None]] = {
    "front": _front,
    "metrics": _metrics,
    "apiServer": _api_server,
}


def _policy(one: Contact, namespace: str) -> Remedy:
    inward = _is_in(one.target, namespace)
    mine, other = (one.target, one.source) if inward else (one.source, one.target)
    direction = Direction.INGRESS if inward else Direction.EGRESS
    peer = _peer(other)
    assert isinstance(mine, Actor)
    written = spec(
        [Grant(direction, (peer,), (Port(one.protocol, one.port),), one.evidence)], mine.labels
    )
    words = "from" if inward else "to"
    text = f"a NetworkPolicy: {words} {_who(other)}, {one.protocol} {one.port}, for {mine.title}"
    return Remedy(text, policy=written)


def _peer(other: End) -> Json:
    if isinstance(other, Actor) and not other.host_network:
        return pods_in((other.namespace,), other.labels)
    if isinstance(other, Outside):
        everywhere = is_public(other.address)
        cidr = ("::/0" if ":" in other.address else "0.0.0.0/0") if everywhere else other.address
        return {"ipBlock": {"cidr": str(ip_network(cidr))}}
    return {"namespaceSelector": {}}


def _who(other: End) -> str:
    if isinstance(other, Actor) and not other.host_network:
        labels = ", ".join(f"{key}={value}" for key, value in sorted(other.labels.items()))
        return f"pods of {other.namespace}{f' with {labels}' * bool(labels)}"
    return other.title
