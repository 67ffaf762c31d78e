"""ndots (mutates): most names that pods look up are external; ask for them first as they are.

Adds the option ndots to spec.dnsConfig.options of Pods on CREATE (the spec cannot change later).
Left alone: pods that set ndots themselves, that opted out, or whose resolv.conf is not the
cluster's: dnsPolicy None and Default, hostNetwork without ClusterFirstWithHostNet (kubelet
network/dns/dns.go: it then reads the node's file, where 2 would raise the usual 1), Windows, where
ndots means nothing, and mirror pods.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from policies.model import CREATE, Action, Policy, Request, Rule
from policies.objects import PodDNSConfig, PodDNSConfigOption, PodSpec
from policies.workloads import PodView

Ndots = Literal["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"]
"""resolv.conf(5): an integer; the resolver caps it at 15."""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is set, and how a pod keeps what it has.

    value: of ndots, 1 to 15 as text. 2 keeps ``svc`` and ``svc.namespace`` on the search list
        first; with 1 ``svc.namespace`` no longer is.
    optOutAnnotation: a pod with this annotation set to ``"false"`` is left alone.
    """

    value: Ndots = "2"
    optOutAnnotation: str = "netreeve.io/ndots"


def mutate(pod: PodView, request: Request, params: Params) -> None:
    spec = pod.spec
    if not _asks_the_cluster(spec) or _is_windows(spec) or _has_ndots(spec) or pod.is_mirror:
        return
    if (pod.metadata.annotations or {}).get(params.optOutAnnotation) == "false":
        return
    config = spec.dnsConfig or PodDNSConfig()
    options = [*(config.options or ()), PodDNSConfigOption("ndots", params.value)]
    spec.dnsConfig = msgspec.structs.replace(config, options=options)


def _asks_the_cluster(spec: PodSpec) -> bool:
    """Whether the kubelet writes the cluster's resolver and search list into the pod."""
    if spec.dnsPolicy == "ClusterFirstWithHostNet":
        return True
    return (spec.dnsPolicy or "ClusterFirst") == "ClusterFirst" and not spec.hostNetwork


def _is_windows(spec: PodSpec) -> bool:
    if spec.os is not None and spec.os.name == "windows":
        return True
    selector = spec.nodeSelector or {}
    return "windows" in (selector.get("kubernetes.io/os"), selector.get("beta.kubernetes.io/os"))


def _has_ndots(spec: PodSpec) -> bool:
    """As an option with a value, or all in the name: the kubelet writes what it gets."""
    options = (spec.dnsConfig and spec.dnsConfig.options) or ()
    return "ndots" in [(option.name or "").partition(":")[0] for option in options]


POLICY = Policy(
    id="ndots",
    title="Pods look external names up directly",
    why=(
        "Kubernetes sets ndots to 5: every name with fewer than five dots is tried with each "
        "search suffix first, so api.example.com costs several failed queries, IPv4 and IPv6 "
        "each, before the one that counts. With 2, names of two dots and more are asked for as "
        "they are first, and svc and svc.namespace still find Services. "
        "Beware of musl (Alpine images): where glibc and Go fall back to the search list, musl "
        "drops it for names with that many dots, so that svc.namespace.svc and "
        "pod-0.svc.namespace no longer resolve there; such programs need the full name, "
        "svc.namespace.svc.cluster.local, or the opt-out."
    ),
    fix=(
        "Nothing is denied. To keep a pod's resolver as it is, set ndots in "
        "spec.dnsConfig.options, or annotate the pod (in a workload: the template) with "
        'netreeve.io/ndots: "false".'
    ),
    rules=(Rule("", "pods", frozenset({CREATE})),),
    standard=Action.MUTATE,
    strict=Action.MUTATE,
    params=Params,
    mutate=mutate,
)
