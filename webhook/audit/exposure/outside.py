"""Whether NetworkPolicies let what comes from outside reach a pod, and which of them do not.

By the addresses that may come in. A plugin may see that of a node instead, and traffic from the
pod's own node always passes (docs/audit.md says so): what is blocked here may get in that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policies.network_policies.blocks import within
from policies.network_policies.effective import External, Flow, Pods, matches_port
from policies.network_policies.views import IPBlock
from policies.services.addresses import Network, parse_network
from webhook.audit.baseline.cluster import Actor
from webhook.audit.baseline.cluster import Behind as Answering
from webhook.audit.exposure.model import Behind
from webhook.audit.exposure.sides import Sides

ANYBODY = ("0.0.0.0/0", "::/0")
_SOMEBODY = "192.0.2.1"
"""RFC 5737. Ports do not depend on who asks."""


def from_outside(answering: Answering, sources: Sequence[str], sides: Sides) -> Behind:
    """sources: networks that may come in; none means any."""
    end, port = answering.end, f"{answering.protocol} {answering.port}"
    if not isinstance(end, Actor):
        return Behind(end.title, port, "unknown")
    if end.host_network:
        return Behind(end.title, port, "allowed")
    found = sides.of(end.namespace, end.labels)
    if not found.ingress.isolated:
        return Behind(end.title, port, "allowed")
    pod = Pods(end.namespace, {}, end.labels, (), end.ports)
    flow = Flow(External(_SOMEBODY), pod, answering.protocol, answering.port)
    rules = [
        one
        for one in found.ingress.allows
        if not one.ports or any(matches_port(port, flow) for port in one.ports)
    ]
    names = tuple(f"{end.namespace}/{name}" for name in found.ingress_policies)
    if any(not one.peers for one in rules):
        return Behind(end.title, port, "allowed")
    blocks = [peer.ipBlock for one in rules for peer in one.peers if peer.ipBlock]
    return _narrowed(end.title, port, sources or ANYBODY, blocks, names)


def _narrowed(
    title: str, port: str, sources: Sequence[str], blocks: Sequence[IPBlock], names: tuple[str, ...]
) -> Behind:
    wanted = [one for one in map(parse_network, sources) if one]
    for version in (4, 6):
        family = [one for one in wanted if one.version == version]
        if family and all(any(_holds(block, one) for block in blocks) for one in family):
            return Behind(title, port, "allowed")
    networks = tuple(sorted({_text(one) for one in blocks if _touches(one, wanted)}))
    return Behind(title, port, "narrowed" if networks else "blocked", names, networks)


def _holds(block: IPBlock, network: Network) -> bool:
    """Whether all of a network gets in."""
    allowed = parse_network(block.cidr or "")
    if allowed is None or not within(network, allowed):
        return False
    holes = (parse_network(one) for one in block.except_ or ())
    return not any(hole is not None and network.overlaps(hole) for hole in holes)


def _touches(block: IPBlock, networks: Iterable[Network]) -> bool:
    allowed = parse_network(block.cidr or "")
    return allowed is not None and any(
        one.version == allowed.version and one.overlaps(allowed) for one in networks
    )


def _text(block: IPBlock) -> str:
    holes = ", ".join(block.except_ or ())
    return f"{block.cidr} without {holes}" if holes else block.cidr or ""
