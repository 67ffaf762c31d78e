"""Namespaces that a cluster cannot do without: of Kubernetes, CNI plugins, DNS and the gate.

Owns the shape of policies/knowledge/system_namespaces.toml. Does not know what follows from it.
"""

from __future__ import annotations

import msgspec

from policies.knowledge import load


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exact names, by what runs there."""

    kubernetes: frozenset[str]
    cni: frozenset[str]
    dns: frozenset[str]
    gate: frozenset[str]


_TABLE = load("system_namespaces", _Table)
SYSTEM_NAMESPACES = _TABLE.kubernetes | _TABLE.cni | _TABLE.dns | _TABLE.gate
"""What is denied there can leave a node without network, or a cluster without names."""
