"""NetworkPolicy by brute force: one packet at a time against plain manifests.

Written from the documentation of networking/v1 alone, as naively as possible, and to stay so: it
shares no code and no idea with `policies.network_policies`, whose answers it checks. An end of a
packet is a pod, {"namespace", "nsLabels", "labels", "ips", "ports": [{"name", "protocol",
"containerPort"}]}, or an outside address, {"ip"}.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

Json = dict[str, Any]


class Packet(NamedTuple):
    source: Json
    source_ip: str
    target: Json
    target_ip: str
    protocol: str
    port: int


def reachable(
    policies: list[Json], ends: tuple[Json, Json], protocol: str, port: int, *, cilium: bool
) -> bool:
    """Whether any packet can pass from an address of the first end to one of the second."""
    source, target = ends
    for source_ip in source.get("ips", [source.get("ip")]):
        for target_ip in target.get("ips", [target.get("ip")]):
            if ("." in source_ip) != ("." in target_ip):
                continue  # no packet has an IPv4 address at one end and an IPv6 one at the other
            if passes(
                policies, Packet(source, source_ip, target, target_ip, protocol, port), cilium
            ):
                return True
    return False


def passes(policies: list[Json], packet: Packet, cilium: bool) -> bool:
    if packet.source_ip == packet.target_ip:
        return True  # "A pod cannot block access to itself"
    return leaves(policies, packet, cilium) and enters(policies, packet, cilium)


def leaves(policies: list[Json], packet: Packet, cilium: bool) -> bool:
    isolating = [one for one in policies if isolates(one, packet.source, "Egress")]
    if not isolating:
        return True
    for policy in isolating:
        for rule in policy["spec"].get("egress") or []:
            if rule_matches(rule, "to", policy, packet, cilium):
                return True
    return False


def enters(policies: list[Json], packet: Packet, cilium: bool) -> bool:
    isolating = [one for one in policies if isolates(one, packet.target, "Ingress")]
    if not isolating:
        return True
    for policy in isolating:
        for rule in policy["spec"].get("ingress") or []:
            if rule_matches(rule, "from", policy, packet, cilium):
                return True
    return False


def isolates(policy: Json, end: Json, direction: str) -> bool:
    return (
        end.get("namespace") == policy["metadata"]["namespace"]
        and selector_matches(policy["spec"].get("podSelector") or {}, end["labels"])
        and direction in policy_types(policy["spec"])
    )


def rule_matches(rule: Json, peers: str, policy: Json, packet: Packet, cilium: bool) -> bool:
    good_peer = not rule.get(peers)
    for peer in rule.get(peers) or []:
        there, there_ip = packet.target, packet.target_ip
        if peers == "from":
            there, there_ip = packet.source, packet.source_ip
        if "ipBlock" in peer:
            if block_matches(peer["ipBlock"], there_ip) and not ("namespace" in there and cilium):
                good_peer = True
        elif selectors_match(peer, policy, there):
            good_peer = True
    good_port = not rule.get("ports")
    for entry in rule.get("ports") or []:
        if port_matches(entry, packet):
            good_port = True
    return good_peer and good_port


def policy_types(spec: Json) -> list[str]:
    """If no policyTypes are given: always Ingress, and Egress if there are any egress rules."""
    given: list[str] = spec.get("policyTypes") or []
    if given:
        return given
    if spec.get("egress"):
        return ["Ingress", "Egress"]
    return ["Ingress"]


def selector_matches(selector: Json, labels: dict[str, str]) -> bool:
    for key, value in (selector.get("matchLabels") or {}).items():
        if key not in labels or labels[key] != value:
            return False
    for expression in selector.get("matchExpressions") or []:
        key, operator = expression["key"], expression["operator"]
        values = expression.get("values") or []
        if operator == "In" and (key not in labels or labels[key] not in values):
            return False
        if operator == "NotIn" and key in labels and labels[key] in values:
            return False
        if operator == "Exists" and key not in labels:
            return False
        if operator == "DoesNotExist" and key in labels:
            return False
    return True


def block_matches(block: Json, ip: str) -> bool:
    if ip_address(ip) not in ip_network(block["cidr"]):
        return False
    return all(ip_address(ip) not in ip_network(hole) for hole in block.get("except") or [])


def selectors_match(peer: Json, policy: Json, there: Json) -> bool:
    if "namespace" not in there:
        return False
    namespaces, pods = peer.get("namespaceSelector"), peer.get("podSelector")
    if namespaces is None:
        if there["namespace"] != policy["metadata"]["namespace"]:
            return False
    elif not selector_matches(namespaces, there["nsLabels"]):
        return False
    return pods is None or selector_matches(pods, there["labels"])


def port_matches(entry: Json, packet: Packet) -> bool:
    if (entry.get("protocol") or "TCP") != packet.protocol:
        return False
    wanted = entry.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        for one in packet.target.get("ports", []):
            if one["name"] == wanted and one["protocol"] == packet.protocol:
                return bool(one["containerPort"] == packet.port)
        return False
    if entry.get("endPort") is not None:
        return bool(wanted <= packet.port <= entry["endPort"])
    return bool(wanted == packet.port)
