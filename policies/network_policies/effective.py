"""What all NetworkPolicies together allow: the union, as the API defines it.

Any policy that selects a pod in a direction isolates it there; what is allowed is then the union
of all their rules, and there are no rules that deny (networking/v1 types.go). Owns no verdict:
the rules on NetworkPolicies, the baseline and the audit all ask here.

Not modelled, because the API leaves it to the network plugin: traffic from a pod's own node,
pods with hostNetwork, and whether an ipBlock matches the addresses of pods (a parameter here:
Cilium never matches them, others do).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from ipaddress import ip_address
from typing import NamedTuple

from policies.network_policies.views import (
    IPBlock,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
)
from policies.selectors import LabelSelector

DEFAULT_PROTOCOL = "TCP"
EVERY_POD = LabelSelector()


class Direction(Enum):
    """The two policyTypes."""

    INGRESS = "Ingress"
    EGRESS = "Egress"

    @property
    def rules(self) -> str:
        """The field of the spec that holds the rules."""
        return self.value.lower()

    @property
    def peers(self) -> str:
        """The field of a rule that holds the peers."""
        return "from" if self is Direction.INGRESS else "to"


class Pods(NamedTuple):
    """A pod as NetworkPolicies see it.

    ips: one for each IP family it has, as in status.podIPs; () where they are not known.
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


Party = Pods | External


class Allow(NamedTuple):
    """One rule of one policy. Empty peers or ports mean any, as an absent field does.

    position: among the rules of its direction; policy, namespace: whose it is.
    """

    direction: Direction
    position: int
    peers: tuple[NetworkPolicyPeer, ...]
    ports: tuple[NetworkPolicyPort, ...]
    policy: str
    namespace: str

    @property
    def field(self) -> str:
        """Where it stands: ``spec.egress[0]``."""
        return f"spec.{self.direction.rules}[{self.position}]"

    def peer_field(self, index: int) -> str:
        """Where ``peers[index]`` stands: ``spec.egress[0].to[1]``."""
        return f"{self.field}.{self.direction.peers}[{index}]"

    @property
    def everything(self) -> bool:
        """Any peer on any port: whoever it applies to is isolated no more."""
        return not self.peers and not self.ports


class Side(NamedTuple):
    """One direction of one pod: not isolated means that everything is allowed."""

    isolated: bool
    allows: tuple[Allow, ...]


def types(spec: NetworkPolicySpec) -> frozenset[Direction]:
    """The directions a policy speaks to; none given are defaulted as the API does.

    Source: kubernetes/pkg/apis/networking/v1/defaults.go SetDefaults_NetworkPolicy.
    """
    if spec.policyTypes:
        return frozenset(one for one in Direction if one.value in spec.policyTypes)
    return frozenset(Direction) if spec.egress else frozenset({Direction.INGRESS})


def allows(policy: NetworkPolicy, direction: Direction) -> tuple[Allow, ...]:
    """The rules of one policy in a direction it speaks to; else none."""
    spec = policy.spec
    if spec is None or direction not in types(spec):
        return ()
    metadata = policy.metadata
    name, namespace = (metadata.name or "", metadata.namespace or "") if metadata else ("", "")
    rules = (
        [(rule.from_, rule.ports) for rule in spec.ingress or ()]
        if direction is Direction.INGRESS
        else [(rule.to, rule.ports) for rule in spec.egress or ()]
    )
    return tuple(
        Allow(direction, position, tuple(peers or ()), tuple(ports or ()), name, namespace)
        for position, (peers, ports) in enumerate(rules)
    )


def selector(policy: NetworkPolicy) -> LabelSelector:
    """The pods of its namespace that a policy is for; an absent selector means all."""
    return (policy.spec and policy.spec.podSelector) or EVERY_POD


def union(
    policies: Iterable[NetworkPolicy],
    direction: Direction,
    applies: Callable[[LabelSelector], bool],
) -> Side:
    """What policies of one namespace allow together; ``applies`` tells from their podSelector."""
    speaking = [
        policy
        for policy in policies
        if policy.spec and direction in types(policy.spec) and applies(selector(policy))
    ]
    return Side(
        bool(speaking), tuple(one for policy in speaking for one in allows(policy, direction))
    )


def side(policies: Iterable[NetworkPolicy], pod: Pods, direction: Direction) -> Side:
    """What the policies of the pod's namespace allow it in one direction."""
    its_own = (policy for policy in policies if _lives_in(policy, pod.namespace))
    return union(its_own, direction, lambda one: one.matches(pod.labels))


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
    """Whether both ends allow a flow, in at least one IP family that both have.

    A pod always reaches itself, which is told by its address: two pods without known addresses
    are two.
    """
    policies = tuple(policies)
    return any(_passes(policies, one, ip_blocks_match_pods) for one in _packets(flow))


def _packets(flow: Flow) -> Iterator[Flow]:
    """The flow once for every pair of addresses of one family; unknown ones go with any."""
    for source in _addressed(flow.source):
        for target in _addressed(flow.target):
            families = {ip_address(ip).version for one in (source, target) if (ip := _ip(one))}
            if len(families) < 2:
                yield flow._replace(source=source, target=target)


def _addressed(party: Party) -> list[Party]:
    if isinstance(party, External) or not party.ips:
        return [party]
    return [party._replace(ips=(ip,)) for ip in party.ips]


def _ip(party: Party) -> str | None:
    """The address of a party that has been narrowed to one."""
    if isinstance(party, External):
        return party.ip
    return party.ips[0] if party.ips else None


def _passes(policies: tuple[NetworkPolicy, ...], packet: Flow, ip_blocks_match_pods: bool) -> bool:
    if _ip(packet.source) == _ip(packet.target) is not None:
        return True
    return all(
        _admits(side(policies, pod, direction), other, packet, ip_blocks_match_pods)
        for pod, other, direction in (
            (packet.source, packet.target, Direction.EGRESS),
            (packet.target, packet.source, Direction.INGRESS),
        )
        if isinstance(pod, Pods)
    )


def _admits(one: Side, other: Party, packet: Flow, ip_blocks_match_pods: bool) -> bool:
    return not one.isolated or any(
        _matches_peers(rule, other, ip_blocks_match_pods) and _matches_ports(rule, packet)
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
    """Whether an address is in ``cidr`` and in none of ``except``; families never mix.

    What is no CIDR holds no address: the API server refuses it.
    """
    address = ip_address(ip)
    network = block.network
    if network is None or address not in network:
        return False
    return not any(address in hole for hole in block.exceptions)


def _matches_ports(rule: Allow, packet: Flow) -> bool:
    return not rule.ports or any(matches_port(port, packet) for port in rule.ports)


def matches_port(port: NetworkPolicyPort, packet: Flow) -> bool:
    """Whether a port of a rule means the packet's; a name is looked up on the receiving pod."""
    if (port.protocol or DEFAULT_PROTOCOL) != packet.protocol:
        return False
    if port.port is None:
        return True
    if isinstance(port.port, str):
        if not isinstance(packet.target, Pods):
            return False
        return packet.target.ports.get((port.port, packet.protocol)) == packet.port
    return port.port <= packet.port <= (port.endPort or port.port)
