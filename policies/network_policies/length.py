"""NetworkPolicies that are too long to be looked at, and are therefore malformed.

An entry takes two bytes to write and, with all that is asked about it, up to 50 µs to judge, while
nobody else is answered. No limit here is reached by what people or generators write: published
lists of all addresses of a cloud's build machines have about 5000 networks.
"""

from __future__ import annotations

import msgspec

from policies.network_policies.views import (
    NetworkPolicy,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
)

MOST_RULES = 500
"""Of both directions."""

MOST_PORTS = 1000
"""Of all rules."""

MOST_PEERS = 5000
"""Of all rules, exceptions of their blocks included."""

Rule = NetworkPolicyIngressRule | NetworkPolicyEgressRule


def of_bearable_length(policy: NetworkPolicy) -> tuple[NetworkPolicy, ...]:
    """The policy as the one subject. Raises msgspec.ValidationError for one that is too long."""
    spec = policy.spec
    if spec is not None:
        rules: list[Rule] = [*(spec.ingress or ()), *(spec.egress or ())]
        _check("rules", len(rules), MOST_RULES)
        _check("ports", sum(len(rule.ports or ()) for rule in rules), MOST_PORTS)
        _check("peers and exceptions", sum(map(_peers, rules)), MOST_PEERS)
    return (policy,)


def _peers(rule: Rule) -> int:
    peers = (rule.from_ if isinstance(rule, NetworkPolicyIngressRule) else rule.to) or ()
    return len(peers) + sum(map(_exceptions, peers))


def _exceptions(peer: NetworkPolicyPeer) -> int:
    return len((peer.ipBlock and peer.ipBlock.except_) or ())


def _check(what: str, count: int, most: int) -> None:
    if count > most:
        raise msgspec.ValidationError(f"at most {most} {what}, got {count} - at `$.spec`")
