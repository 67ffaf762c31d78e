"""np-dns-no-tcp: DNS is asked over UDP and TCP, and a rule for it needs both.

Fields: spec.ingress[*].ports[*], spec.egress[*].ports[*]. Judged: port 53, the names that the
cluster's DNS gives its ports, and 5353 to OpenShift's DNS. Allowed: both protocols for the same
peers, in one rule or in several of the policy; TCP alone to addresses outside, which is a zone
transfer. The API server fills in the protocol, so that one is missing shows in manifests only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from policies.model import Action, NoParams, Policy, Remedy, Request, Violation
from policies.network_policies.effective import Allow, Direction, allows
from policies.network_policies.managed import is_managed
from policies.network_policies.reading import NETWORK_POLICIES, content
from policies.network_policies.selected import requirements
from policies.network_policies.views import NetworkPolicy, NetworkPolicyPort

UDP, TCP = "UDP", "TCP"
_NAMES = ("dns", "dns-tcp")
"""What CoreDNS calls its ports in the manifests of kubeadm and of OpenShift."""


class Asked(NamedTuple):
    """A port of a rule that is the one of DNS and no other: ``ports[position]``, 53 or 5353.

    protocol: UDP or TCP, None where the manifest leaves it out.
    """

    position: int
    protocol: str | None
    number: int


def asked(rule: Allow) -> Iterator[Asked]:
    """The ports of DNS among those of a rule."""
    numbers: dict[int | str, int] = {53: 53, **dict.fromkeys(_NAMES, 53)}
    if _to_openshift(rule):
        numbers[5353] = 5353
    for position, port in enumerate(rule.ports):
        number = numbers.get(port.port or 0)
        if number and port.protocol in (UDP, TCP, None) and port.endPort in (None, port.port):
            yield Asked(position, port.protocol, number)


def _to_openshift(rule: Allow) -> bool:
    """OpenShift's DNS pods listen on 5353, which is multicast DNS elsewhere."""
    return any(
        "openshift-dns" in (needed.values or ())
        for peer in rule.peers
        if peer.namespaceSelector
        for needed in requirements(peer.namespaceSelector)
    )


def validate(policy: NetworkPolicy, request: Request, params: NoParams) -> Iterator[Violation]:
    if is_managed(policy):
        return
    for direction in Direction:
        rules = allows(policy, direction)
        asking = [(rule, found) for rule in rules if (found := [*asked(rule)])]
        if not asking:
            continue
        reach = _Reach(rules)
        for rule, found in asking:
            first = {(one.protocol, one.number): one for one in reversed(found)}
            for one in first.values():
                other = TCP if one.protocol == UDP else UDP
                judged = one.protocol != TCP or _asks_the_cluster(rule)
                if judged and not reach.includes(rule, other, one.number):
                    yield _violation(rule, one, other, reach.peers(rule))


def _asks_the_cluster(rule: Allow) -> bool:
    """Whether TCP alone is a mistake: a client's rule, and not for outside addresses only."""
    outside = rule.peers and all(peer.ipBlock for peer in rule.peers)
    return rule.direction is Direction.EGRESS and not outside


_Peers = set[str | None]


class _Reach:
    """For each protocol and port of DNS the peers that rules open it to; None is everyone."""

    def __init__(self, rules: Iterable[Allow]) -> None:
        self._of_rule: dict[int, _Peers] = {}
        self._peers: dict[tuple[str, int], _Peers] = {}
        for rule in rules:
            for protocol in (UDP, TCP):
                for number in (53, 5353):
                    if _opens(rule, protocol, number):
                        self._peers.setdefault((protocol, number), set()).update(self.peers(rule))

    def peers(self, rule: Allow) -> _Peers:
        """Those of one rule, which are worked out once."""
        known = self._of_rule.get(rule.position)
        if known is None:
            known = self._of_rule[rule.position] = _peers(rule)
        return known

    def includes(self, rule: Allow, protocol: str, number: int) -> bool:
        """Whether the peers of this rule are among them."""
        peers = self._peers.get((protocol, number), set())
        return None in peers or self.peers(rule) <= peers


def _peers(rule: Allow) -> _Peers:
    return {content(peer) for peer in rule.peers} or {None}


def _opens(rule: Allow, protocol: str, number: int) -> bool:
    return not rule.ports or any(
        (port.protocol or TCP) == protocol and _is_or_has(port, number) for port in rule.ports
    )


def _is_or_has(port: NetworkPolicyPort, number: int) -> bool:
    if isinstance(port.port, str):
        return port.port in _NAMES
    return port.port is None or port.port <= number <= (port.endPort or port.port)


def _violation(rule: Allow, one: Asked, other: str, peers: _Peers) -> Violation:
    if one.protocol is None:
        message = "must name its protocol: without one it is TCP, and DNS asks over UDP first"
    elif other == TCP:
        message = "must stand beside the same port over TCP, which DNS needs for long answers"
    else:
        message = "must stand beside the same port over UDP, which DNS asks over first"
    whom = " ".join(sorted(map(str, peers)))
    return Violation(
        f"{rule.field}.ports[{one.position}]",
        message,
        f"list {{protocol: UDP, port: {one.number}}} and {{protocol: TCP, port: {one.number}}}",
        keys=(f"{rule.direction.value} {one.protocol} {one.number} {whom}",),
        remedy=_remedy(rule, one, other),
    )


def _remedy(rule: Allow, one: Asked, other: str) -> Remedy | None:
    """The same number over the other protocol; names of ports differ between the two."""
    if not isinstance(rule.ports[one.position].port, int):
        return None
    path = ("spec", rule.direction.rules, rule.position, "ports", one.position)
    return Remedy(path, {"protocol": other, "port": one.number}, insert=True)


POLICY = Policy(
    id="np-dns-no-tcp",
    title="A NetworkPolicy for DNS allows UDP and TCP",
    why=(
        "Resolvers ask over UDP and repeat the question over TCP when the answer was cut off: "
        "many records, DNSSEC, long TXT records. Without TCP such names fail, often long after "
        "the policy was written. A port without a protocol is TCP, so `port: 53` alone leaves "
        "out the UDP that almost every question uses."
    ),
    fix="List port 53 twice in the rule, once with protocol UDP and once with protocol TCP.",
    rules=NETWORK_POLICIES,
    standard=Action.WARN,
    strict=Action.DENY,
    params=NoParams,
    validate=validate,
)
