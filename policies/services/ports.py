"""Which ports belong to datastores and administration: policies/knowledge/ports.toml."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from policies.knowledge import load
from policies.objects import EndpointPort, ServicePort
from policies.services.lengths import first


class KnownPort(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A port number, what listens there, and where that is documented."""

    port: int
    service: str
    source: str


class KnownPorts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of ports.toml."""

    ports: tuple[KnownPort, ...]


KNOWN = {one.port: one.service for one in load("ports", KnownPorts).ports}


def is_sensitive(port: ServicePort | None) -> bool:
    """Whether a datastore or administration is behind a port, by its number or its targetPort's.

    None stands for every port.
    """
    return port is None or known_behind(port) != 0


def known_behind(port: ServicePort) -> int:
    """The number by which a port is known to be a datastore's or administration's; 0 if not."""
    target = _numeric(port.targetPort)
    if target in KNOWN:
        return target
    return port.port if port.port in KNOWN else 0


def keys_of(ports: Sequence[ServicePort | EndpointPort] | None) -> tuple[str, ...]:
    """By what the ratchet sees that a port is new."""
    return tuple(f"port {one.port}/{one.protocol or 'TCP'}" for one in first(ports or ()))


def describe(port: ServicePort | None) -> str:
    """``port 80``; ``port 6379 for Redis``; ``port 80 to 6379 for Redis``."""
    if port is None or port.port is None:
        return "every port"
    target = _numeric(port.targetPort)
    where = f"port {port.port}"
    if port.protocol not in (None, "TCP"):
        where += f"/{port.protocol}"
    if KNOWN.get(target) and target != port.port:
        where += f" to {target}"
    service = KNOWN.get(target) or KNOWN.get(port.port)
    return f"{where} for {service}" if service else where


def _numeric(target: Any) -> int:
    """A targetPort as a number; 0 for a name. The API server refuses digits in quotes."""
    return target if isinstance(target, int) else 0
