"""The exposure map as data, and as it is written for programs (docs/exposure.schema.json).

Fields are only added.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["allowed", "narrowed", "blocked", "unknown"]
"""allowed: NetworkPolicies let all of it in. narrowed: they let in less than arrives. blocked:
they let nothing in. unknown: no pod is known there, or nobody knows who brings the requests."""
Reach = Literal["public", "restricted", "internal", "nodes", "unknown"]
"""public: the internet. restricted: the source ranges of a load balancer. internal: a private
network. nodes: whoever reaches an address of the nodes. unknown: nothing tells."""


class Isolation(msgspec.Struct, frozen=True):
    """One direction of a workload. isolated: only what policies allow passes. policies: names of
    those that speak to this direction.
    """

    isolated: bool
    policies: tuple[str, ...] = ()


class Workload(msgspec.Struct, frozen=True):
    """The pods of one workload. hostNetwork: they are on the node's network, where NetworkPolicies
    are commonly ignored; ingress and egress are null then.
    """

    namespace: str
    kind: str
    name: str
    hostNetwork: bool
    ingress: Isolation | None
    egress: Isolation | None


class Behind(msgspec.Struct, frozen=True):
    """Who answers. target: `Deployment shop/web`, or an address. port: `TCP 8080`, of the target.

    policies: `namespace/name` of those that narrow or block. networks: what narrowing ones let in.
    """

    target: str
    port: str
    verdict: Verdict
    policies: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


class Way(msgspec.Struct, frozen=True):
    """One way in from outside.

    kind: `load balancer`, `node port`, `health check node port`, `external IP`, `host port`, `host
    network`, `Ingress`, `Gateway` or `route`. object: whose it is. opens: ports as `TCP 443`, or
    host names. addresses: where it is reached, as far as known. sources: networks that may come in;
    none means any. via: the workloads that bring the requests of an Ingress or a route.
    """

    kind: str
    object: str
    namespace: str
    reach: Reach
    opens: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    behind: tuple[Behind, ...] = ()


class Pair(msgspec.Struct, frozen=True):
    """What pods of one namespace may open to pods of another one, or of their own.

    reach: `all`, every pod to every pod on every port; `some`; `nothing`. ports: what is open to
    somebody, as `TCP 8080`, `TCP 8000-8100` or `any`. targets: how many of the workloads there can
    be reached by somebody, and of: how many there are.
    """

    source: str
    target: str
    reach: Literal["all", "some", "nothing"]
    ports: tuple[str, ...]
    targets: int
    of: int


class Unread(msgspec.Struct, frozen=True):
    """What is missing. path: a resource of the API (``deployments.apps``), or a file."""

    path: str
    message: str


class ExposureMap(msgspec.Struct, frozen=True):
    """All of it. pairs: of all namespaces that have pods which NetworkPolicies speak to."""

    ways: tuple[Way, ...] = ()
    workloads: tuple[Workload, ...] = ()
    namespaces: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    unread: tuple[Unread, ...] = ()

    def only(self, namespace: str) -> ExposureMap:
        """What concerns one namespace: its ways in, its workloads, and pairs that it is part of."""
        return ExposureMap(
            tuple(one for one in self.ways if one.namespace == namespace),
            tuple(one for one in self.workloads if one.namespace == namespace),
            self.namespaces,
            tuple(one for one in self.pairs if namespace in (one.source, one.target)),
            self.unread,
        )
