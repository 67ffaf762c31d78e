"""A small universe of pods and addresses, and NetworkPolicies in it, as Hypothesis strategies.

Everything is plain manifests; `view` and `party` turn them into what the code reads.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import strategies as st

from policies.network_policies.effective import External, Party, Pods
from policies.network_policies.views import NetworkPolicy

Json = dict[str, Any]

NAMESPACES: dict[str, dict[str, str]] = {
    "shop": {"kubernetes.io/metadata.name": "shop", "env": "prod"},
    "bank": {"kubernetes.io/metadata.name": "bank", "env": "dev"},
    "kube-system": {"kubernetes.io/metadata.name": "kube-system"},
}
PROTOCOLS = ("TCP", "UDP", "SCTP")
PORTS = (53, 80, 81, 8080)


def pod(namespace: str, ips: list[str], ports: list[Json] | None = None, **labels: str) -> Json:
    return {
        "namespace": namespace,
        "nsLabels": NAMESPACES[namespace],
        "labels": labels,
        "ips": ips,
        "ports": ports or [],
    }


def named(name: str, port: int, protocol: str = "TCP") -> Json:
    return {"name": name, "containerPort": port, "protocol": protocol}


PODS = (
    pod("shop", ["10.0.1.1", "fd00:1::1"], [named("http", 8080)], app="web", tier="front"),
    pod("shop", ["10.0.1.2"], [named("http", 80)], app="web"),
    pod("shop", ["fd00:1::3"], [named("dns", 53, "UDP"), named("http", 80)], app="db"),
    pod("shop", ["10.0.1.4", "fd00:1::4"]),
    pod("bank", ["10.0.2.1", "fd00:2::1"], [named("http", 80)], app="web"),
    pod("bank", ["10.0.2.2"], app="db", tier="back"),
    pod("kube-system", ["10.0.3.1"], [named("dns", 53, "UDP"), named("dns", 53)], app="dns"),
)
OUTSIDE = tuple({"ip": ip} for ip in ("198.51.100.7", "192.0.2.9", "2001:db8::7", "10.0.1.77"))

CIDRS: dict[str, tuple[str, ...]] = {
    "0.0.0.0/0": ("10.0.0.0/16", "198.51.100.0/24", "10.0.1.1/32"),
    "10.0.0.0/16": ("10.0.1.0/24", "10.0.2.1/32"),
    "10.0.1.0/24": ("10.0.1.1/32",),
    "198.51.100.7/32": (),
    "0.0.0.0/1": ("10.0.0.0/8",),
    "128.0.0.0/1": ("192.0.2.0/24",),
    "::/0": ("fd00::/8", "2001:db8::/32"),
    "fd00:1::/32": ("fd00:1::1/128",),
    "2001:db8::/32": ("2001:db8::7/128",),
}


def _object(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Any of the fields, the others left out."""
    return st.fixed_dictionaries({}, optional=fields)


_LABELS = {"app": ("web", "db", "dns"), "tier": ("front", "back"), "env": ("prod", "dev")}
_NAME = "kubernetes.io/metadata.name"


def _requirement(key: str, values: tuple[str, ...]) -> st.SearchStrategy[Json]:
    some = st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)
    return st.one_of(
        st.fixed_dictionaries(
            {"key": st.just(key), "operator": st.sampled_from(["In", "NotIn"]), "values": some}
        ),
        st.fixed_dictionaries(
            {"key": st.just(key), "operator": st.sampled_from(["Exists", "DoesNotExist"])}
        ),
    )


def _selectors(keys: dict[str, tuple[str, ...]]) -> st.SearchStrategy[Json]:
    requirement = st.one_of(*(_requirement(key, values) for key, values in keys.items()))
    equal = _object(**{key: st.sampled_from(values) for key, values in keys.items()})
    return st.just({}) | _object(
        matchLabels=equal | st.none(), matchExpressions=st.lists(requirement, max_size=2)
    )


pod_selectors = _selectors({key: _LABELS[key] for key in ("app", "tier")})
namespace_selectors = _selectors({"env": _LABELS["env"], _NAME: tuple(NAMESPACES)})
ip_blocks = st.sampled_from(sorted(CIDRS)).flatmap(
    lambda cidr: st.fixed_dictionaries(
        {"cidr": st.just(cidr)},
        optional={"except": st.lists(st.sampled_from(CIDRS[cidr] or (cidr,)), max_size=2)},
    )
)
peers = st.one_of(
    st.fixed_dictionaries({"podSelector": pod_selectors}),
    st.fixed_dictionaries({"namespaceSelector": namespace_selectors}),
    st.fixed_dictionaries({"podSelector": pod_selectors, "namespaceSelector": namespace_selectors}),
    st.fixed_dictionaries({"ipBlock": ip_blocks}),
)
_EDGES = (1, 53, 80, 81, 8080, 65535)
_RANGES = [*pairwise(_EDGES), (1, 65535), (80, 80)]
ports = st.one_of(
    _object(protocol=st.sampled_from(PROTOCOLS)),
    st.builds(
        lambda one, port: {**one, "port": port},
        _object(protocol=st.sampled_from(PROTOCOLS)),
        st.sampled_from([*PORTS, "http", "dns"]),
    ),
    st.builds(
        lambda one, ends: {**one, "port": ends[0], "endPort": ends[1]},
        _object(protocol=st.sampled_from(PROTOCOLS)),
        st.sampled_from(_RANGES),
    ),
)


def _few(of: st.SearchStrategy[Json]) -> st.SearchStrategy[list[Json] | None]:
    return st.none() | st.lists(of, max_size=3)


def rules(peers_field: str) -> st.SearchStrategy[Json]:
    return _object(**{peers_field: _few(peers), "ports": _few(ports)})


specs = _object(
    podSelector=pod_selectors,
    policyTypes=st.lists(st.sampled_from(["Ingress", "Egress"]), unique=True) | st.none(),
    ingress=_few(rules("from")),
    egress=_few(rules("to")),
)


def policy(spec: Json, name: str = "own", namespace: str = "shop") -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


policies = st.builds(
    policy, specs, st.sampled_from(["one", "two"]), st.sampled_from(sorted(NAMESPACES))
)


def view(manifest: Json) -> NetworkPolicy:
    """A manifest as the gate reads it."""
    return msgspec.json.decode(msgspec.json.encode(manifest), type=NetworkPolicy)


def views(manifests: list[Json]) -> tuple[NetworkPolicy, ...]:
    return tuple(map(view, manifests))


def party(end: Json) -> Party:
    """An end of a packet, as the oracle has it, as the code has it."""
    if "ip" in end:
        return External(end["ip"])
    return Pods(
        end["namespace"],
        end["nsLabels"],
        end["labels"],
        tuple(end["ips"]),
        {(one["name"], one["protocol"]): one["containerPort"] for one in end["ports"]},
    )
