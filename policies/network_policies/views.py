"""NetworkPolicy as a typed view (networking.k8s.io/v1), with Kubernetes' own names.

Selectors are those of `policies.selectors`; `from` and `except` are Python keywords, so their
attributes have an underscore. Blocks are parsed once, by the first who asks, because a policy may
have 5000 and several rules ask: also those of the policies that caches hold.
"""

from __future__ import annotations

from functools import cached_property

import msgspec

from policies.objects import Object, View
from policies.selectors import LabelSelector
from policies.services.addresses import Network, parse_network


class IPBlock(View, dict=True, gc=True):
    cidr: str | None = None
    except_: list[str] | None = msgspec.field(default=None, name="except")

    @cached_property
    def network(self) -> Network | None:
        """Of ``cidr``; None where that is no CIDR."""
        return parse_network(self.cidr or "")

    @cached_property
    def exceptions(self) -> tuple[Network, ...]:
        """Those of ``except`` that are CIDRs."""
        return tuple(filter(None, map(parse_network, self.except_ or ())))


class NetworkPolicyPeer(View):
    podSelector: LabelSelector | None = None
    namespaceSelector: LabelSelector | None = None
    ipBlock: IPBlock | None = None


class NetworkPolicyPort(View):
    protocol: str | None = None
    port: int | str | None = None
    endPort: int | None = None


class NetworkPolicyIngressRule(View):
    from_: list[NetworkPolicyPeer] | None = msgspec.field(default=None, name="from")
    ports: list[NetworkPolicyPort] | None = None


class NetworkPolicyEgressRule(View):
    to: list[NetworkPolicyPeer] | None = None
    ports: list[NetworkPolicyPort] | None = None


class NetworkPolicySpec(View):
    podSelector: LabelSelector | None = None
    policyTypes: list[str] | None = None
    ingress: list[NetworkPolicyIngressRule] | None = None
    egress: list[NetworkPolicyEgressRule] | None = None


class NetworkPolicy(Object):
    spec: NetworkPolicySpec | None = None
