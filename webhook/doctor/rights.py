"""What the two service accounts must be allowed, and what they must not. Pure.

Kept beside deploy/chart/templates/rbac.yaml; a test installs that and asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from webhook.doctor.names import CONFIGURATION, CONTROL, SERVE

WRITING = ("create", "update", "patch", "delete")


class Right(NamedTuple):
    """A question to the authorizer. namespace: "" for the whole cluster. resource: with its
    subresource. wanted: whether the answer has to be yes.
    """

    account: str
    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    wanted: bool = True

    @property
    def title(self) -> str:
        """``patch pods``, ``get secrets netreeve-tls in netreeve``"""
        group = f".{self.group}" if self.group else ""
        name = f" {self.name}" if self.name else ""
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{group}{name}{where}"


def rights(namespace: str, accounts: dict[str, str]) -> tuple[Right, ...]:
    """Every question. accounts: ServiceAccounts by the name of their Deployment."""
    asked: list[Right] = []
    if account := accounts.get(SERVE):
        asked += _serve(namespace, account)
    if account := accounts.get(CONTROL):
        asked += _control(namespace, account)
    return tuple(asked)


def _serve(namespace: str, account: str) -> Iterator[Right]:
    for group, resource in (
        ("", "namespaces"),
        ("", "nodes"),
        ("networking.k8s.io", "networkpolicies"),
    ):
        yield from _each(account, "list watch", group, resource)
    yield from _each(account, "get list watch", "coordination.k8s.io", "leases", namespace)
    yield Right(account, "create", "authorization.k8s.io", "subjectaccessreviews")
    for group, resource in (
        ("", "pods"),
        ("", "secrets"),
        ("", "services"),
        ("", "namespaces"),
        ("apps", "deployments"),
        ("networking.k8s.io", "networkpolicies"),
        ("coordination.k8s.io", "leases"),
        ("rbac.authorization.k8s.io", "clusterrolebindings"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ):
        for verb in WRITING:
            yield Right(account, verb, group, resource, wanted=False)
    yield Right(account, "get", "", "secrets", wanted=False)
    yield Right(account, "get", "", "secrets", namespace, "netreeve-ca", wanted=False)
    yield Right(account, "create", "", "pods/exec", wanted=False)


def _control(namespace: str, account: str) -> Iterator[Right]:
    yield from _each(account, "get list watch patch", "", "namespaces")
    yield from _each(account, "list watch create patch", "networking.k8s.io", "networkpolicies")
    yield from _each(account, "list watch patch", "", "pods")
    yield from _each(account, "create patch", "events.k8s.io", "events")
    for resource in ("nodes", "services", "configmaps"):
        yield from _each(account, "list watch", "", resource)
    yield from _each(account, "list watch", "discovery.k8s.io", "endpointslices")
    yield from _each(account, "list watch", "apps", "daemonsets")
    yield from _each(account, "list watch", "apiregistration.k8s.io", "apiservices")
    yield from _each(account, "create get patch", "coordination.k8s.io", "leases", namespace)
    for resource in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
        yield from _each(
            account, "get patch", "admissionregistration.k8s.io", resource, name=CONFIGURATION
        )
        for verb in ("create", "delete"):
            yield Right(account, verb, "admissionregistration.k8s.io", resource, wanted=False)
    # Whatever the source of certificates; those that it issues are in others besides.
    stamp = "netreeve-stamp"
    yield from _each(account, "get list watch patch", "", "secrets", namespace, stamp)
    yield Right(account, "create", "", "secrets", namespace)
    yield Right(account, "get", "", "secrets", wanted=False)
    yield Right(account, "delete", "networking.k8s.io", "networkpolicies", wanted=False)
    yield Right(account, "delete", "", "namespaces", wanted=False)


def _each(  # noqa: PLR0917 - as in a role
    account: str, verbs: str, group: str, resource: str, namespace: str = "", name: str = ""
) -> Iterator[Right]:
    for verb in verbs.split():
        yield Right(account, verb, group, resource, namespace, name)
