"""How networks and ipBlocks lie to each other.

Pure functions on `ipaddress` objects; families never mix.
"""

from __future__ import annotations

from policies.network_policies.views import IPBlock
from policies.services.addresses import Network, networks


def within(inner: Network, outer: Network) -> bool:
    """Whether all of one network is in another."""
    return (
        inner.version == outer.version
        and inner.prefixlen >= outer.prefixlen
        and inner.network_address in outer
    )


def around(network: Network, cidrs: tuple[str, ...]) -> Network | None:
    """The first of the CIDRs, which are those of a parameter, that a network is in."""
    return next((one for one in networks(cidrs) if within(network, one)), None)


def leaves_out(block: IPBlock, network: Network) -> bool:
    """Whether one of the exceptions of a block holds all of a network."""
    return any(within(network, hole) for hole in block.exceptions)


def is_host(network: Network) -> bool:
    """Whether it is a single address."""
    return network.prefixlen == network.max_prefixlen
