"""Everything that was seen of a cluster in one look. None: it could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Literal, NamedTuple

import msgspec

from policies.baseline.facts import Facts
from webhook.config import GateConfig
from webhook.doctor import views
from webhook.doctor.matching import Served
from webhook.doctor.names import CONFIGURATION

KindOfHook = Literal["Validating", "Mutating"]


class Hook(NamedTuple):
    """One webhook of a configuration."""

    kind: KindOfHook
    configuration: str
    webhook: views.Webhook

    @property
    def title(self) -> str:
        return f"{self.kind}WebhookConfiguration {self.configuration}, {self.webhook.name}"

    @property
    def type(self) -> str:
        """As kubectl is told it."""
        return f"{self.kind.lower()}webhookconfiguration"

    @property
    def ours(self) -> bool:
        return self.configuration == CONFIGURATION


class Unread(NamedTuple):
    """What could not be read. message: what the API server, or the network, said."""

    what: str
    message: str


class Right(NamedTuple):
    """A question to the authorizer. namespace: "" for the whole cluster."""

    account: str
    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""


class Proof(NamedTuple):
    """A known-bad object was sent as a dry run. namespace: where.

    denied: by us. message: what the API server said; "" where it was admitted.
    """

    namespace: str
    denied: bool
    message: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """namespace: of Netreeve. everyone: webhooks of others are judged as well.

    command: our own version. now: of the API server; ahead: seconds that our clock is before it.
    served_until: the expiry of the certificate that each server says it serves, by pod.
    config: the configuration that the servers run with, None where it could not be read.
    rights: what service accounts may. facts: for CNI and DNS.
    """

    namespace: str
    everyone: bool
    command: str
    now: datetime
    ahead: float
    kubernetes: views.Version
    served: Served
    validating: tuple[views.Configuration, ...] | None
    mutating: tuple[views.Configuration, ...] | None
    namespaces: Mapping[str, Mapping[str, str]] | None
    services: tuple[views.Service, ...] | None
    slices: tuple[views.Slice, ...] | None
    deployments: tuple[views.Deployment, ...] | None
    leases: tuple[views.Lease, ...] | None
    certificate: views.Secret.Public | None
    config: GateConfig | None
    rights: Mapping[Right, bool] | None
    facts: Facts | None
    proof: Proof | None
    served_until: Mapping[str, datetime] | None
    unread: tuple[Unread, ...] = ()

    @cached_property
    def hooks(self) -> tuple[Hook, ...]:
        """All webhooks, ours first, in the order in which the mutating ones are called."""
        return tuple(sorted(self._hooks(), key=lambda one: not one.ours))

    def _hooks(self) -> Iterator[Hook]:
        kinds: tuple[tuple[KindOfHook, tuple[views.Configuration, ...] | None], ...] = (
            ("Validating", self.validating),
            ("Mutating", self.mutating),
        )
        for kind, configurations in kinds:
            for one in sorted(configurations or (), key=lambda one: one.name):
                yield from (Hook(kind, one.name, webhook) for webhook in one.webhooks or ())

    @property
    def ours(self) -> tuple[Hook, ...]:
        return tuple(one for one in self.hooks if one.ours)

    @property
    def judged(self) -> tuple[Hook, ...]:
        """Those that were asked for."""
        return self.hooks if self.everyone else self.ours

    @property
    def shells(self) -> tuple[str, ...]:
        """The configurations of ours that exist, with webhooks or without."""
        return tuple(
            kind
            for kind, some in (("Validating", self.validating), ("Mutating", self.mutating))
            if any(one.name == CONFIGURATION for one in some or ())
        )

    @property
    def installed(self) -> bool:
        """Whether anything of Netreeve is there."""
        return bool(self.shells or self.deployments)

    def deployment(self, name: str) -> views.Deployment | None:
        return next((one for one in self.deployments or () if one.name == name), None)
