"""Where the certificates come from, and so which authorities are to be published.

``managed``: we issue and rotate them, one step of `certs.plan` at a time. ``files``: an
administrator mounts them, the bundle too. ``cert-manager``: its Certificate writes the Secret.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding

from certs.issue import Pair
from certs.plan import (
    Authority,
    Lives,
    State,
    Step,
    bundle,
    certificates,
    due,
    is_issued,
    take,
)
from webhook.cluster.events import Event, Events, Reference
from webhook.controller.certificates.secrets import (
    CA,
    TLS,
    Secrets,
    read_authorities,
    read_pair,
    write_authorities,
    write_pair,
)
from webhook.controller.certificates.servers import Seen

log = logging.getLogger(__name__)


class Source(enum.Enum):
    """The values of ``--cert-source``."""

    MANAGED = "managed"
    FILES = "files"
    CERT_MANAGER = "cert-manager"


class Live(NamedTuple):
    """The CA bundles of the active configurations; carried: as in `certs.plan.State`."""

    bundles: Sequence[bytes]
    carried: frozenset[str] | None


class Found(NamedTuple):
    """bundle: the authorities to publish, b"" while there are none."""

    authorities: tuple[Authority, ...] = ()
    pair: Pair | None = None
    bundle: bytes = b""

    def is_under_way(self, seen: Seen) -> bool:
        """Whether a rotation is: a CA waits to sign, or a server for what it was given."""
        late = self.pair is not None and any(
            certificates(one) != certificates(self.pair.certificate) for one in seen.leaves.values()
        )
        return late or sum(one.signs for one in self.authorities) > 1


@dataclass(frozen=True)
class Managed:
    """Certificates of ours. names: of the server, the first is the one that is asked for."""

    secrets: Secrets
    events: Events
    namespace: str
    names: Sequence[str]
    now: Callable[[], datetime]
    lives: Lives

    def find(self) -> Found:
        ca, tls = self.secrets.get(CA), self.secrets.get(TLS)
        authorities = read_authorities(ca.data) if ca else ()
        return Found(authorities, read_pair(tls.data) if tls else None, bundle(authorities))

    async def advance(self, seen: Seen, live: Live) -> None:
        """Do the next step, if there is one; the watch brings what it has changed. Raises
        ClusterError, ConflictError when somebody else was faster."""
        state, now = self._state(seen, live), self.now()
        step = due(state, self.names, now, self.lives)
        if step is None:
            return
        after = take(step, state, self.names, now, self.lives)
        name = TLS if step in (Step.ISSUE, Step.PUBLISH) else CA
        if name == TLS:
            assert after.leaf is not None  # what these steps write
            await self.secrets.write(TLS, write_pair(after.leaf, after.bundle))
        else:
            await self.secrets.write(CA, write_authorities(after.authorities))
        log.info("certificates: %s", step.value)
        about = Reference("v1", "Secret", name, self.namespace)
        await self.events.tell(Event(about, REASONS[step], step.value, "RotateCertificates"))

    def _state(self, seen: Seen, live: Live) -> State:
        found, ca, tls = self.find(), self.secrets.get(CA), self.secrets.get(TLS)
        return State(
            authorities=found.authorities,
            leaf=found.pair,
            bundle=tls.data.get("ca.crt", b"") if tls else b"",
            served=frozenset(seen.leaves.values()),
            live=b"".join(live.bundles),
            carried=live.carried,
            renew=bool(tls and tls.asked),
            rotate=bool(ca and ca.asked),
        )


REASONS: Mapping[Step, str] = {
    Step.ADD: "AuthorityAdded",
    Step.RETIRE: "AuthorityRetired",
    Step.ISSUE: "CertificateIssued",
    Step.PUBLISH: "BundleWritten",
    Step.DROP: "AuthorityDropped",
}


@dataclass(frozen=True)
class Given:
    """Certificates of somebody else. file: of the bundle; None: it is in the Secret."""

    secrets: Secrets
    file: Path | None

    def find(self) -> Found:
        if self.file is not None:
            return Found(bundle=_readable(self._content(self.file)))
        tls = self.secrets.get(TLS)
        if tls is None:
            return Found()
        return Found(pair=read_pair(tls.data), bundle=_readable(tls.data.get("ca.crt", b"")))

    async def advance(self, seen: Seen, live: Live) -> None:
        """It is not ours to rotate."""

    def _content(self, file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            log.error("%s: %s. The CA bundle to publish is needed there", file, error.strerror)
            return b""


def published(wanted: bytes, live: Sequence[bytes], served: Sequence[bytes]) -> bytes:
    """The bundle to publish: what is wanted, and those that are live and a server still needs.

    Whoever changes certificate and bundle at once leaves servers behind that serve the old one.
    """
    found = _split(wanted)
    for one in dict.fromkeys(pem for each in live for pem in _split(each)):
        if any(is_issued(leaf, one) and not _is_trusted(leaf, found) for leaf in served):
            found.append(one)
    return b"".join(found)


def _is_trusted(leaf: bytes, authorities: Sequence[bytes]) -> bool:
    return any(is_issued(leaf, one) for one in authorities)


def _split(bundle: bytes) -> list[bytes]:
    """Each certificate on its own, in one spelling, once."""
    return list(dict.fromkeys(one.public_bytes(Encoding.PEM) for one in certificates(bundle)))


def _readable(bundle: bytes) -> bytes:
    return b"".join(_split(bundle))
