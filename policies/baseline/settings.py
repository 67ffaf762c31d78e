"""Types that the settings of the baseline share: names, ports, addresses, networks."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Annotated

from msgspec import Meta

_DNS_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"

Namespace = Annotated[str, Meta(pattern=f"^{_DNS_LABEL}$")]
Name = Annotated[str, Meta(pattern=f"^{_DNS_LABEL}$")]
PortNumber = Annotated[int, Meta(ge=1, le=65535)]
Address = Annotated[str, Meta(pattern=r"^[0-9a-fA-F.:]+$")]
Cidr = Annotated[str, Meta(pattern=r"^[0-9a-fA-F.:]+/[0-9]+$")]


def check_addresses(texts: tuple[str, ...]) -> None:
    """Raises ValueError that names the first text that is no address."""
    for text in texts:
        try:
            ip_address(text)
        except ValueError:
            raise ValueError(f"{text!r} is no address such as 10.0.0.53 or fd00::35") from None


def check_networks(texts: tuple[str, ...]) -> None:
    """Raises ValueError that names the first text that the API server would refuse as a CIDR."""
    for text in texts:
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{text!r} is no CIDR such as 10.0.0.0/8 or fd00::/8") from None
        if str(network) != text:
            raise ValueError(f"{text!r} must be written as {str(network)!r}")
