"""Names of Services and of hosts in what containers are told: a heuristic. Pure.

Sees neither ConfigMaps nor Secrets, nor what a program knows by itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

_HOST = re.compile(
    r"""(?<![\w.-])
    (?: (?P<scheme> [a-z][a-z0-9+.-]{0,20} ) :// (?: [^\s/@]{1,200} @ )? )?
    (?P<host> [a-z0-9] (?: [-a-z0-9.]{0,251} [a-z0-9] )? )
    (?: : (?P<port> \d{1,5} ) )?
    (?![\w.-])""",
    re.X,
)
_SCHEMES = {"http": 80, "https": 443}
_OWN = frozenset({"localhost", "0.0.0.0", "127.0.0.1"})  # noqa: S104 - nobody listens here


class Mention(NamedTuple):
    """A host that a text names. service: namespace and name if it is one; port: 0 if not told."""

    host: str
    port: int
    service: tuple[str, str] | None


def mentions(text: str, namespace: str, services: Collection[tuple[str, str]]) -> Iterator[Mention]:
    """Services by ``name``, ``name.namespace`` or ``name.namespace.svc...``, and hosts in URLs.

    namespace: of whoever is told, where a name alone is looked up. A name alone counts as one
    only where it is the whole value, has a port, or stands in a URL: many words are names.
    """
    for found in _HOST.finditer(text):
        host, scheme = found["host"], found["scheme"]
        port = int(found["port"] or 0) or _SCHEMES.get(scheme or "", 0)
        address = scheme or found["port"] or _is_whole(found)
        service = _service(host, namespace, bool(address))
        if service in services:
            yield Mention(host, port, service)
        elif scheme and port and "." in host and host not in _OWN:
            yield Mention(host, port, None)


def _is_whole(found: re.Match[str]) -> bool:
    """``redis`` and ``--host=redis``, but no word within a sentence."""
    start, end = found.span()
    return end == len(found.string) and (start == 0 or found.string[start - 1] == "=")


def _service(host: str, namespace: str, address: bool) -> tuple[str, str] | None:
    name, *rest = host.split(".")
    if not rest:
        return (namespace, name) if address else None
    return (rest[0], name) if rest[1:2] in ([], ["svc"]) else None
