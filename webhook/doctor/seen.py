"""Everything that was seen of a cluster in one look, as the checks get it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from policies.baseline.facts import Facts
from webhook.cluster.lists import Unread
from webhook.config import GateConfig
from webhook.doctor import views
from webhook.doctor.matching import Served
from webhook.doctor.names import CONFIGURATION
from webhook.doctor.rights import Right

KindOfHook = Literal["Validating", "Mutating"]
Place = tuple[str, str]
"""Namespace and name."""


class Hook(NamedTuple):
    """One webhook of a configuration."""

    kind: KindOfHook
    configuration: str
    webhook: views.Webhook

    @property
    def title(self) -> str:
        return f"{self.kind.lower()} webhook {self.webhook.name} of {self.configuration}"

    @property
    def resource(self) -> str:
        """As kubectl is told it."""
        return f"{self.kind.lower()}webhookconfiguration/{self.configuration}"

    @property
    def ours(self) -> bool:
        return self.configuration == CONFIGURATION

    @property
    def service(self) -> Place | None:
        found = self.webhook.clientConfig.service
        return (found.namespace, found.name) if found else None


class Proof(NamedTuple):
    """What became of a known-bad object that was sent as a dry run.

    namespace: where. status: HTTP. message: what the API server said; "" where it was admitted.
    """

    namespace: str
    status: int
    message: str = ""


class Leaf(NamedTuple):
    """What a server serves. pem: b"" where it cannot be reached from here, message says why."""

    server: str
    pem: bytes
    message: str = ""


class Seen(NamedTuple):
    """Fields that may be None could not be read.

    namespace: of Netreeve. everyone: webhooks of others are judged as well. command: our version.
    now: of the API server; ahead: seconds that the clock of this machine is before it.
    hooks: ours first, then in the order in which mutating ones are called. shells: the kinds of
    our configurations that exist, with webhooks or without.
    endpoints: of the Services of webhooks. certificate: PEM of the Secret, b"" where there is
    none. leaves: of our servers. config: what they run with; broken: why it cannot be read.
    leases: that of the controller, if there is one.
    guards: of our ValidatingAdmissionPolicies that are there, what is done about violations
        (validationActions).
    facts: for CNI and DNS. proof: None where nothing could be sent.
    """

    namespace: str
    everyone: bool
    command: str
    now: datetime
    ahead: float
    kubernetes: str
    served: Served
    hooks: tuple[Hook, ...] | None
    shells: tuple[KindOfHook, ...]
    namespaces: Mapping[str, Mapping[str, str]] | None
    services: Mapping[Place, views.Service] | None
    endpoints: Mapping[Place, tuple[views.Slice, ...]] | None
    deployments: tuple[views.Deployment, ...] | None
    leases: tuple[views.Lease, ...] | None
    certificate: bytes | None
    leaves: tuple[Leaf, ...]
    config: GateConfig | None
    broken: str
    rights: Mapping[Right, bool] | None
    guards: Mapping[str, tuple[str, ...]] | None
    facts: Facts | None
    proof: Proof | None
    unread: tuple[Unread, ...]

    @property
    def ours(self) -> tuple[Hook, ...]:
        return tuple(one for one in self.hooks or () if one.ours)

    @property
    def judged(self) -> tuple[Hook, ...]:
        """The webhooks that were asked for."""
        return (self.hooks or ()) if self.everyone else self.ours

    @property
    def installed(self) -> bool:
        """Whether anything of Netreeve is there."""
        return bool(self.shells or self.deployments)

    @property
    def elsewhere(self) -> str:
        """The namespace that our webhooks call, where it is another and this one holds nothing."""
        if self.deployments:
            return ""
        called = {one.service[0] for one in self.ours if one.service} - {self.namespace}
        return min(called, default="")

    @property
    def enforcing(self) -> bool:
        """Whether all of our validating webhooks fail closed."""
        ours = [one for one in self.ours if one.kind == "Validating"]
        return bool(ours) and all(one.webhook.fails_closed for one in ours)

    def deployment(self, name: str) -> views.Deployment | None:
        return next((one for one in self.deployments or () if one.name == name), None)


def hooks(
    validating: Iterable[views.Configuration], mutating: Iterable[views.Configuration]
) -> tuple[Hook, ...]:
    """Of all configurations."""
    return tuple(
        sorted((*_hooks("Validating", validating), *_hooks("Mutating", mutating)),
               key=lambda one: not one.ours)
    )  # fmt: skip


def _hooks(kind: KindOfHook, configurations: Iterable[views.Configuration]) -> Iterator[Hook]:
    for one in sorted(configurations, key=lambda one: one.name):
        yield from (Hook(kind, one.name, webhook) for webhook in one.webhooks or ())
