"""NetworkPolicy as a typed view (networking.k8s.io/v1), with Kubernetes' own names.

Selectors are those of `policies.selectors`; `from` and `except` are Python keywords, so their
attributes have an underscore.
"""

from __future__ import annotations

import msgspec

from policies.objects import Object, View
from policies.selectors import LabelSelector


class IPBlock(View):
    cidr: str | None = None
    except_: list[str] | None = msgspec.field(default=None, name="except")


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
