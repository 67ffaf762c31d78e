"""What would keep a connection that a baseline would end: a preset, or a NetworkPolicy. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from policies.baseline.grants import Grant, Json, Port, blocks, pods_in, spec
from policies.network_policies.effective import Direction
from webhook.audit.baseline.cluster import Actor, End, Outside, Somebody
from webhook.audit.baseline.contacts import Contact, is_public

_BY_NAMESPACE = {
    "front": ("ingressControllers", "in which it runs"),
    "metrics": ("monitoring", "in which Prometheus runs"),
}


class Remedy(NamedTuple):
    """text: for people.

    allow: presets, as the configuration of a baseline writes them. policy: the spec of a
    NetworkPolicy for the namespace. Both are None where too little is known to write it.
    """

    text: str
    allow: Mapping[str, Any] | None = None
    policy: Json | None = None


def remedy(one: Contact, namespace: str, nodes: tuple[str, ...]) -> Remedy:
    """A preset where one fits, since it says what it is for; else a NetworkPolicy of one's own.

    nodes: addresses of all nodes, by which pods on their network come.
    """
    if _is_in(one.source, namespace) and _is_in(one.target, namespace):
        return _preset({"sameNamespace": True})
    return _fitting(one, nodes) or _policy(one, namespace, nodes)


def _is_in(end: End, namespace: str) -> bool:
    return isinstance(end, Actor) and end.namespace == namespace and not end.host_network


def _preset(allow: Mapping[str, Any]) -> Remedy:
    written = msgspec.json.encode(allow).decode().replace('"', "")
    return Remedy(f"allow: {written.replace(':', ': ').replace(',', ', ')}", allow)


def _fitting(one: Contact, nodes: tuple[str, ...]) -> Remedy | None:
    target = one.target
    if one.purpose in _BY_NAMESPACE:
        return _peers(*_BY_NAMESPACE[one.purpose], one.source, nodes)
    if one.purpose == "apiServer":
        return _preset({"apiServer": True})
    if isinstance(target, Outside) and one.protocol == "TCP" and is_public(target.address):
        return _preset({"internet": {"ports": [one.port]}})
    return None


def _peers(preset: str, where: str, source: End, nodes: tuple[str, ...]) -> Remedy | None:
    """None where the configuration names the peers, and something else is in the way: ports."""
    if isinstance(source, Somebody) and not source.namespaces:
        return Remedy(f"allow.{preset} with the namespaces {where}")
    if isinstance(source, Actor) and not source.host_network:
        return _preset({preset: {"namespaces": [source.namespace]}})
    if isinstance(source, Actor) and nodes:
        return _preset({preset: {"cidrs": [one["ipBlock"]["cidr"] for one in blocks(nodes)]}})
    return None


def _policy(one: Contact, namespace: str, nodes: tuple[str, ...]) -> Remedy:
    inward = _is_in(one.target, namespace)
    mine, other = (one.target, one.source) if inward else (one.source, one.target)
    assert isinstance(mine, Actor)  # Contact.touches
    direction = Direction.INGRESS if inward else Direction.EGRESS
    words = "from" if inward else "to"
    text = f"a NetworkPolicy: {words} {_who(other)}, {one.protocol} {one.port}, for {mine.title}"
    peers = _written(other, nodes)
    if not peers:
        return Remedy(text)
    grant = Grant(direction, peers, (Port(one.protocol, one.port),), one.evidence)
    return Remedy(text, policy=spec([grant], mine.labels))


def _written(other: End, nodes: tuple[str, ...]) -> tuple[Json, ...]:
    """As a NetworkPolicy names it; () if nobody knows."""
    if isinstance(other, Outside):
        return blocks(other.networks or (other.address,))
    if isinstance(other, Somebody):
        return (pods_in(other.namespaces),) if other.namespaces else ()
    if other.host_network:
        return blocks(nodes)
    return (pods_in((other.namespace,), other.labels),)


def _who(other: End) -> str:
    if isinstance(other, Outside) or (isinstance(other, Somebody) and not other.namespaces):
        return other.title
    if isinstance(other, Somebody):
        return f"pods of {', '.join(other.namespaces)}"
    if other.host_network:
        return f"the nodes, whose network {other.title} uses"
    labels = ", ".join(f"{key}={value}" for key, value in sorted(other.labels.items()))
    return f"pods of {other.namespace}{f' with {labels}' * bool(labels)}"
