"""Host names that lead where no Service should.

IP addresses, the client itself, metadata servers, and names inside the cluster. Pure functions on
names. Knows no policy.
"""

from __future__ import annotations

import re

from policies.services.addresses import METADATA, parse, parse_strict, special

_METADATA_NAMES = {one.name: one.cloud for one in METADATA.names}
# RFC 6761, and the names that distributions write into /etc/hosts
_LOCALHOST = (
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost4.localdomain4",
    "localhost6",
    "localhost6.localdomain6",
    "ip6-localhost",
    "ip6-loopback",
    # public domains that always resolve to loopback
    "localtest.me",
    "lvh.me",
    "vcap.me",
)
# Every name below these resolves to the address written in it
_ADDRESS_IN_NAME = ("nip.io", "sslip.io", "xip.io")
# No top-level domain is a number, so such a name can only be meant as an IPv4 address
# (WHATWG URL, "ends in a number")
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII | re.DOTALL)


def normal(name: str) -> str:
    """A host name in the form that is compared: lower case, no final dot, no spaces around it."""
    return name.strip().lower().rstrip(".")


def below(name: str, domain: str) -> bool:
    """Whether a normal name is a domain or inside it."""
    return name == domain or name.endswith(f".{domain}")


def forbidden(name: str) -> str | None:
    """What a normal name is that no Service should lead to, such as ``localhost``; None if not."""
    address = parse(name)
    if address is not None:
        literal = f"an IP address ({address})" if str(address) != name else "an IP address"
        kind = special(address)
        return f"{literal}, {kind}" if kind else literal
    if _ENDS_IN_NUMBER.fullmatch(name):
        return "an IP address in any notation"
    return _localhost(name) or _metadata(name) or _address_in_name(name)


def _localhost(name: str) -> str | None:
    found = any(below(name, local) for local in _LOCALHOST)
    return "a name of localhost: the client itself" if found else None


def _metadata(name: str) -> str | None:
    for host, cloud in _METADATA_NAMES.items():
        if below(name, host):
            return f"the metadata server of {cloud}"
    return None


def _address_in_name(name: str) -> str | None:
    found = any(below(name, domain) for domain in _ADDRESS_IN_NAME)
    return "a name that resolves to the IP address written in it" if found else None


def pod_address(name: str, domain: str) -> str | None:
    """The address in a pod's name ``<address>.<namespace>.pod[.<domain>]``, dashes in place of dots
    or colons, with what it is; None if the normal name is none.

    No pod need have it: CoreDNS answers unseen by default (plugin kubernetes, ``pods insecure``),
    also below another label. It takes no other label for the address (parse.go, ``r.service``).
    """
    labels = _within(name, domain).split(".")
    if labels[-1] != "pod":
        return None
    for label in labels[-3:-2]:
        address = parse_strict(label.replace("-", ".")) or parse_strict(label.replace("-", ":"))
        if address:
            kind = special(address)
            return f"an IP address ({address}){f', {kind}' if kind else ''}"
    return None


def other_namespace(name: str, namespace: str, domain: str) -> str | None:
    """What a normal name inside the cluster is that ``namespace`` must not lead to; None if not.

    ``<service>.<namespace>.svc.<domain>`` and ``<address>.<namespace>.pod.<domain>``, and the same
    without the domain; whatever else is in the domain has no namespace.
    """
    labels = _within(name, domain).split(".")
    if not below(name, domain) and labels[-1] not in ("svc", "pod"):
        return None
    if labels[-1] not in ("svc", "pod") or len(labels) < 2:
        return "a name of the cluster itself"
    return None if labels[-2] == namespace else f"a name of namespace {labels[-2]}"


def _within(name: str, domain: str) -> str:
    return name.removesuffix(domain).rstrip(".") if below(name, domain) else name
