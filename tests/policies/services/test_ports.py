"""Ports of datastores and administration, by name."""

from __future__ import annotations

import pytest

from policies.knowledge import load
from policies.objects import ServicePort
from policies.services.ports import KNOWN, KnownPorts, describe, is_sensitive


def test_each_port_of_the_table_has_one_meaning_and_a_source() -> None:
    table = load("ports", KnownPorts).ports
    assert len(table) == len(KNOWN)
    assert [one for one in table if not (one.source and 0 < one.port < 65536)] == []


@pytest.mark.parametrize(
    ("port", "text", "sensitive"),
    [
        (ServicePort(port=80), "port 80", False),
        (ServicePort(port=80, targetPort=8080), "port 80", False),
        (ServicePort(port=6379), "port 6379 for Redis", True),
        (ServicePort(port=6379, targetPort="redis"), "port 6379 for Redis", True),
        (ServicePort(port=6379, targetPort=8080), "port 6379 for Redis", True),
        (ServicePort(port=80, targetPort=6379), "port 80 to 6379 for Redis", True),
        (ServicePort(port=5432, targetPort=5432), "port 5432 for PostgreSQL", True),
        (ServicePort(port=80, targetPort="6379"), "port 80", False),
        (ServicePort(port=11211, protocol="UDP"), "port 11211/UDP for memcached", True),
        (ServicePort(port=80, protocol="TCP"), "port 80", False),
        (ServicePort(), "every port", False),
        (None, "every port", True),
    ],
)
def test_a_port_is_described_by_what_is_behind_it(
    port: ServicePort | None, text: str, sensitive: bool
) -> None:
    assert describe(port) == text
    assert is_sensitive(port) is sensitive
