"""np-ipblock-cluster: an ipBlock is for addresses outside of the cluster, and not for all of them.

Fields: spec.ingress[*].from[*].ipBlock.cidr, spec.egress[*].to[*].ipBlock.cidr. Not allowed: a
private block in or around a range of the parameter clusterCIDRs; in egress a block so wide that
the cloud's metadata server is in it, with port 80 open, unless except leaves it out; and what is
no CIDR. Allowed: single addresses of a DNS server beside its pods or a link-local address, as
NodeLocal DNSCache and DNS on the node's network need them.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import msgspec

from policies.model import Action, Policy, Request, Violation
from policies.network_policies.blocks import around, is_host, leaves_out, within
from policies.network_policies.effective import (
    Allow,
    Direction,
    External,
    Flow,
    in_block,
    matches_port,
)
from policies.network_policies.managed import is_managed
from policies.network_policies.np_dns_no_tcp import asked
from policies.network_policies.reading import NETWORK_POLICIES, rules
from policies.network_policies.views import IPBlock, NetworkPolicy, NetworkPolicyPeer
from policies.services.addresses import Network, networks

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""RFC 1918, RFC 6598 (carrier-grade NAT, used for pods by some clouds), RFC 4193."""

# The address at which clouds hand out credentials over HTTP, by IP family, and what to except.
_METADATA = {4: "169.254.169.254", 6: "fd00:ec2::254"}
_AROUND_METADATA = {4: ip_network("169.254.0.0/16"), 6: ip_network("fc00::/7")}


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which addresses are the cluster's.

    clusterCIDRs: ranges of pods, Services and nodes. Where they are not known, the default: all
        private ranges.
    allowedCIDRs: networks inside them that are not the cluster's, such as that of a data centre.
    """

    clusterCIDRs: tuple[str, ...] = PRIVATE
    allowedCIDRs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        networks(self.clusterCIDRs)
        networks(self.allowedCIDRs)


def validate(policy: NetworkPolicy, request: Request, params: Params) -> Iterator[Violation]:
    if is_managed(policy):
        return
    for rule in rules(policy):
        resolvers, http = _is_for_resolvers(rule), _opens_http(rule)
        for position, peer in enumerate(rule.peers):
            if peer.ipBlock is None:
                continue
            network = peer.ipBlock.network
            if network is None:
                yield _unreadable(rule, position, peer.ipBlock)
                continue
            cluster = _cluster_range(peer.ipBlock, network, params)
            if cluster is None:
                if http and _has_metadata(peer.ipBlock, network):
                    yield _unguarded(rule, position, network)
            elif not (around(network, params.allowedCIDRs) or (resolvers and is_host(network))):
                yield _in_cluster(rule, position, network, cluster)


def _cluster_range(block: IPBlock, network: Network, params: Params) -> Network | None:
    """The first range of the cluster that the block is in, or has in it although it is private.

    A block with public addresses means the internet, whatever else is in it.
    """
    is_private = around(network, PRIVATE) is not None
    for one in networks(params.clusterCIDRs):
        if within(network, one) or (
            is_private and within(one, network) and not leaves_out(block, one)
        ):
            return one
    return None


def _unreadable(rule: Allow, position: int, block: IPBlock) -> Violation:
    """API servers before 1.36 take other notations too, which plugins may read in other ways."""
    return Violation(
        f"{rule.peer_field(position)}.ipBlock.cidr",
        f"must be a CIDR, not {block.cidr!r}",
        "write it as 203.0.113.0/24 or 2001:db8::/32",
        keys=(f"{rule.direction.value} {block.cidr}",),
    )


def _in_cluster(rule: Allow, position: int, network: Network, cluster: Network) -> Violation:
    verb = "be in" if within(network, cluster) else "hold"
    return Violation(
        f"{rule.peer_field(position)}.ipBlock.cidr",
        f"must not {verb} {cluster}, where pods may be",
        "select pods and namespaces by label; "
        "an administrator can list a network outside of the cluster in allowedCIDRs",
        keys=(f"{rule.direction.value} {network}",),
        at_most=Action.WARN,  # such ranges are in use outside of clusters too
    )


def _unguarded(rule: Allow, position: int, network: Network) -> Violation:
    hole = _AROUND_METADATA[network.version]
    return Violation(
        f"{rule.peer_field(position)}.ipBlock.cidr",
        f"must except {hole}, where clouds hand out credentials",
        f"add except: [{hole}] to the ipBlock, or name narrower networks",
        keys=(f"{rule.direction.value} {network} metadata",),
    )


def _opens_http(rule: Allow) -> bool:
    """Whether a pod may open connections to port 80 of the peers, where metadata servers listen."""
    anywhere = External(_METADATA[4])
    return rule.direction is Direction.EGRESS and (
        not rule.ports
        or any(matches_port(port, Flow(anywhere, anywhere, "TCP", 80)) for port in rule.ports)
    )


def _has_metadata(block: IPBlock, network: Network) -> bool:
    """Whether the metadata server is in a block that was not written for it."""
    own = _AROUND_METADATA[network.version]
    address = _METADATA[network.version]
    return network != own and within(own, network) and in_block(block, address)


def _is_for_resolvers(rule: Allow) -> bool:
    """Whether a rule is for DNS alone and does not hang on addresses of the cluster only."""
    return (
        bool(rule.ports)
        and sum(1 for _ in asked(rule)) == len(rule.ports)
        and any(map(_is_pods_or_link_local, rule.peers))
    )


def _is_pods_or_link_local(peer: NetworkPolicyPeer) -> bool:
    if peer.ipBlock is None:
        return True
    network = peer.ipBlock.network
    return network is not None and network.is_link_local


POLICY = Policy(
    id="np-ipblock-cluster",
    title="An ipBlock of a NetworkPolicy means addresses outside of the cluster",
    why=(
        "Whether an ipBlock matches pods, Services or nodes is left to the network plugin: some "
        "compare addresses before and some after Services are resolved, and Cilium never matches "
        "pods or nodes, so that a block of the DNS Service's address gives no DNS there while "
        "10.0.0.0/8 opens the whole cluster elsewhere. Pods change their addresses as well. "
        "And 0.0.0.0/0 in egress includes the cloud's metadata server, which hands the node's "
        "credentials to whoever asks on port 80. "
        "Private ranges are in use outside of clusters too, so they are at most warned of."
    ),
    fix=(
        "Select pods and namespaces by label. For networks outside of the cluster use narrow "
        "blocks; an administrator can list private ones in allowedCIDRs, and the cluster's own "
        "ranges in clusterCIDRs. For the internet except 169.254.0.0/16 and the private ranges "
        "from 0.0.0.0/0, and fc00::/7 from ::/0."
    ),
    rules=NETWORK_POLICIES,
    standard=Action.WARN,
    strict=Action.DENY,
    params=Params,
    validate=validate,
)
