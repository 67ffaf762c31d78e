"""What the rules on NetworkPolicies share: which requests they judge, and every peer in one.

Owns no verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from policies.model import Rule
from policies.network_policies.effective import Allow, Direction, allows
from policies.network_policies.views import NetworkPolicy, NetworkPolicyPeer

_LONGEST_CONTENT = 256

NETWORK_POLICIES = (Rule("networking.k8s.io", "networkpolicies"),)


def rules(policy: NetworkPolicy) -> Iterator[Allow]:
    """The rules of both directions, without those that have no effect."""
    for direction in Direction:
        yield from allows(policy, direction)


class PeerAt(NamedTuple):
    """A peer and where it stands: ``spec.egress[0].to[1]``."""

    rule: Allow
    peer: NetworkPolicyPeer
    field: str

    @property
    def key(self) -> str:
        """The direction and the content, for Violation.keys: positions are no part of it."""
        return f"{self.rule.direction.value} {content(self.peer)}"


def peers(policy: NetworkPolicy) -> Iterator[PeerAt]:
    """Every peer of every rule that has an effect."""
    for rule in rules(policy):
        for position, peer in enumerate(rule.peers):
            yield PeerAt(rule, peer, rule.peer_field(position))


def content(view: Any) -> str:
    """A view as one line of JSON, the same for the same content in whatever order.

    A long one is told by its hash: a thousand violations may have it in their keys.
    """
    text = _json(_in_order(msgspec.to_builtins(view)))
    return text if len(text) <= _LONGEST_CONTENT else hashlib.sha256(text.encode()).hexdigest()


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_order(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return sorted(map(_in_order, value), key=_json)
    return value


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
