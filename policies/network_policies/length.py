"""NetworkPolicies that are too long to be looked at, alone or with the others of a namespace.

One that is too long alone is malformed.

An entry takes two bytes to write and, with all that is asked about it, up to 50 µs to judge, while
nobody else is answered. No limit here is reached by what people or generators write: published
lists of all addresses of a cloud's build machines have about 5000 networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from policies.network_policies.effective import selector
from policies.network_policies.views import (
    NetworkPolicy,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
)
from policies.selectors import LabelSelector

MOST_RULES = 500
"""Of both directions."""

MOST_PORTS = 1000
"""Of all rules."""

MOST_PEERS = 5000
"""Of all rules, exceptions of their blocks included."""

MOST_TOGETHER = 10_000
"""Rules, ports, peers and exceptions of the other policies of a namespace. Nobody limits their
number, and with each of them all the others are looked at."""

TOO_LONG = NetworkPolicy(
    spec=NetworkPolicySpec(
        ingress=[NetworkPolicyIngressRule(ports=[NetworkPolicyPort()] * (MOST_TOGETHER + 1))]
    )
)
"""Stands, among the others of a namespace, for those that are too long to be held in memory."""

_COMPARED = 10
"""Requirements of selectors that are compared with each other in the time that an entry takes."""

Rule = NetworkPolicyIngressRule | NetworkPolicyEgressRule


def of_bearable_length(policy: NetworkPolicy) -> tuple[NetworkPolicy, ...]:
    """The policy as the one subject. Raises msgspec.ValidationError for one that is too long."""
    rules = [*_rules(policy)]
    _check("rules", len(rules), MOST_RULES)
    _check("ports", sum(len(rule.ports or ()) for rule in rules), MOST_PORTS)
    _check("peers and exceptions", sum(map(_peers, rules)), MOST_PEERS)
    return (policy,)


def bearable_together(pods: LabelSelector, others: Iterable[NetworkPolicy]) -> bool:
    """Whether others can be looked at for a policy that selects ``pods``; counts no further."""
    left, own = MOST_TOGETHER, _requirements(pods)
    for policy in others:
        left -= own * _requirements(selector(policy)) // _COMPARED
        for rule in _rules(policy):
            left -= 1 + len(rule.ports or ()) + _peers(rule)
            if left < 0:
                return False
    return left >= 0


def _rules(policy: NetworkPolicy) -> Iterator[Rule]:
    if policy.spec is not None:
        yield from policy.spec.ingress or ()
        yield from policy.spec.egress or ()


def _requirements(pods: LabelSelector) -> int:
    """With their values."""
    values = sum(1 + len(one.values or ()) for one in pods.matchExpressions or ())
    return len(pods.matchLabels or {}) + values


def _peers(rule: Rule) -> int:
    peers = (rule.from_ if isinstance(rule, NetworkPolicyIngressRule) else rule.to) or ()
    return len(peers) + sum(map(_exceptions, peers))


def _exceptions(peer: NetworkPolicyPeer) -> int:
    return len((peer.ipBlock and peer.ipBlock.except_) or ())


def _check(what: str, count: int, most: int) -> None:
    if count > most:
        raise msgspec.ValidationError(f"at most {most} {what}, got {count} - at `$.spec`")
