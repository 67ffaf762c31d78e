"""What all NetworkPolicies together allow: the union, as the API defines it.

Any policy that selects a pod in a direction isolates it there; what is allowed is then the union
of all their rules, and there are no rules that deny (networking/v1 types.go). Owns no verdict:
the rules on NetworkPolicies, the baseline and the audit all ask here.

Not modelled, because the API leaves it to the network plugin: traffic from a pod's own node,
pods with hostNetwork, and whether an ipBlock matches the addresses of pods (a parameter here:
Cilium never matches them, others do).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from policies.network_policies.views import (
    IPBlock,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
)

DEFAULT_PROTOCOL = "TCP"


class Direction(Enum):
    """The two policyTypes, with the field that holds their rules."""

    INGRESS = "Ingress"
    EGRESS = "Egress"


class Workload(NamedTuple):
    """A pod as NetworkPolicies see it.

    ports: container ports by (name, protocol), for rules that name a port.
    """

    namespace: str
    namespace_labels: Mapping[str, str]
    labels: Mapping[str, str]
    ips: tuple[str, ...] = ()
    ports: Mapping[tuple[str, str], int] = {}


class External(NamedTuple):
    """An address outside of the cluster."""

    ip: str


Party = Workload | External


class Allow(NamedTuple):
    """One rule of one policy. Empty peers or ports mean any, as an absent field does.

    field: where it stands (``spec.egress[0]``); policy, namespace: whose it is.
    """

    peers: tuple[NetworkPolicyPeer, ...]
    ports: tuple[NetworkPolicyPort, ...]
    field: str
    policy: str
    namespace: str

    @property
    def everything(self) -> bool:
        """Any peer on any port: whoever it applies to is isolated no more."""
        return not self.peers and not self.ports


class Side(NamedTuple):
    """One direction of one pod: not isolated means that everything is allowed."""

    isolated: bool
    allows: tuple[Allow, ...]


def types(spec: NetworkPolicySpec) -> frozenset[Direction]:
    """The directions a policy speaks to; absent policyTypes are defaulted as the API does."""
    if spec.policyTypes is not None:
        return frozenset(one for one in Direction if one.value in spec.policyTypes)
    return frozenset(Direction) if spec.egress else frozenset({Direction.INGRESS})


def allows(policy: NetworkPolicy, direction: Direction) -> tuple[Allow, ...]:
    """The rules of one policy in a direction it speaks to; else none."""
    spec = policy.spec
    if spec is None or direction not in types(spec):
        return ()
    metadata = policy.metadata
    name, namespace = (metadata.name or "", metadata.namespace or "") if metadata else ("", "")
    field = direction.value.lower()
    rules = (
        [(rule.from_, rule.ports) for rule in spec.ingress or ()]
        if direction is Direction.INGRESS
        else [(rule.to, rule.ports) for rule in spec.egress or ()]
    )
    return tuple(
        Allow(tuple(peers or ()), tuple(ports or ()), f"spec.{field}[{index}]", name, namespace)
        for index, (peers, ports) in enumerate(rules)
    )


def side(policies: Iterable[NetworkPolicy], pod: Workload, direction: Direction) -> Side:
    """What the policies of the pod's namespace allow it in one direction."""
    speaking = [
        policy
        for policy in policies
        if policy.spec
        and _lives_in(policy, pod.namespace)
        and direction in types(policy.spec)
        and (policy.spec.podSelector is None or policy.spec.podSelector.matches(pod.labels))
    ]
    return Side(
        bool(speaking), tuple(one for policy in speaking for one in allows(policy, direction))
    )


def _lives_in(policy: NetworkPolicy, namespace: str) -> bool:
    return policy.metadata is not None and (policy.metadata.namespace or "") == namespace


class Flow(NamedTuple):
    """A first packet: who opens a connection to whom, on which port of the receiver."""

    source: Party
    target: Party
    protocol: str
    port: int


def allowed(
    policies: Iterable[NetworkPolicy], flow: Flow, *, ip_blocks_match_pods: bool = True
) -> bool:
    """Whether both ends allow a flow. A pod always reaches itself."""
    policies = tuple(policies)
    if flow.source == flow.target:
        return True
    return all(
        _admits(side(policies, pod, direction), other, flow, ip_blocks_match_pods)
        for pod, other, direction in (
            (flow.source, flow.target, Direction.EGRESS),
            (flow.target, flow.source, Direction.INGRESS),
        )
        if isinstance(pod, Workload)
    )


def _admits(one: Side, other: Party, flow: Flow, ip_blocks_match_pods: bool) -> bool:
    return not one.isolated or any(
        _matches_peers(rule, other, ip_blocks_match_pods) and _matches_ports(rule, flow)
        for rule in one.allows
    )


def _matches_peers(rule: Allow, other: Party, ip_blocks_match_pods: bool) -> bool:
    return not rule.peers or any(
        matches_peer(peer, other, rule.namespace, ip_blocks_match_pods=ip_blocks_match_pods)
        for peer in rule.peers
    )


def matches_peer(
    peer: NetworkPolicyPeer, other: Party, namespace: str, *, ip_blocks_match_pods: bool = True
) -> bool:
    """Whether a peer of a policy in ``namespace`` means this party."""
    if peer.ipBlock is not None:
        if isinstance(other, External):
            return in_block(peer.ipBlock, other.ip)
        return ip_blocks_match_pods and any(in_block(peer.ipBlock, ip) for ip in other.ips)
    if isinstance(other, External):
        return False
    if peer.namespaceSelector is None:
        if other.namespace != namespace:
            return False
    elif not peer.namespaceSelector.matches(other.namespace_labels):
        return False
    return peer.podSelector is None or peer.podSelector.matches(other.labels)


def in_block(block: IPBlock, ip: str) -> bool:
    """Whether an address is in ``cidr`` and in none of ``except``; families never mix."""
    address = ip_address(ip)
    if address not in ip_network(block.cidr or "", strict=False):
        return False
    return not any(address in ip_network(cidr, strict=False) for cidr in block.except_ or ())


def _matches_ports(rule: Allow, flow: Flow) -> bool:
    return not rule.ports or any(matches_port(port, flow) for port in rule.ports)


def matches_port(port: NetworkPolicyPort, flow: Flow) -> bool:
    """Whether a port of a rule means the flow's; a name is looked up on the receiving pod."""
    if (port.protocol or DEFAULT_PROTOCOL) != flow.protocol:
        return False
    if port.port is None:
        return True
    if isinstance(port.port, str):
        if not isinstance(flow.target, Workload):
            return False
        return flow.target.ports.get((port.port, flow.protocol)) == flow.port
    return port.port <= flow.port <= (port.endPort or port.port)
