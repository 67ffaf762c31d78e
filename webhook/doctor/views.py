"""The parts of cluster objects that the checks read, with Kubernetes' own field names.

Where the API server fills in a default, so does the view, since older objects may lack the field.
"""

from __future__ import annotations

import re

import msgspec

from policies.selectors import LabelSelector

EVERYTHING = LabelSelector()


class Metadata(msgspec.Struct, frozen=True):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    deletionTimestamp: str | None = None


class Named(msgspec.Struct, frozen=True):
    metadata: Metadata

    @property
    def name(self) -> str:
        return self.metadata.name


# --- admissionregistration.k8s.io/v1


class ServiceReference(msgspec.Struct, frozen=True):
    namespace: str = ""
    name: str = ""
    path: str | None = None
    port: int | None = None


class ClientConfig(msgspec.Struct, frozen=True):
    """caBundle: PEM; None or empty for the authorities of the API server's own system."""

    service: ServiceReference | None = None
    url: str | None = None
    caBundle: bytes | None = None


class Rule(msgspec.Struct, frozen=True):
    apiGroups: tuple[str, ...] | None = None
    apiVersions: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    scope: str | None = None


class MatchCondition(msgspec.Struct, frozen=True):
    name: str
    expression: str


class Webhook(msgspec.Struct, frozen=True):
    name: str
    clientConfig: ClientConfig = ClientConfig()
    rules: tuple[Rule, ...] | None = None
    failurePolicy: str | None = None
    matchPolicy: str | None = None
    namespaceSelector: LabelSelector | None = None
    objectSelector: LabelSelector | None = None
    matchConditions: tuple[MatchCondition, ...] | None = None
    timeoutSeconds: int | None = None
    reinvocationPolicy: str | None = None

    @property
    def fails_closed(self) -> bool:
        return self.failurePolicy != "Ignore"

    @property
    def seconds(self) -> int:
        return 10 if self.timeoutSeconds is None else self.timeoutSeconds


class Configuration(Named, frozen=True):
    """A ValidatingWebhookConfiguration or MutatingWebhookConfiguration."""

    webhooks: tuple[Webhook, ...] | None = None


class BindingSpec(msgspec.Struct, frozen=True):
    policyName: str = ""
    validationActions: tuple[str, ...] | None = None


class Binding(Named, frozen=True):
    """A ValidatingAdmissionPolicyBinding."""

    spec: BindingSpec


# --- what Netreeve is made of


class Container(msgspec.Struct, frozen=True):
    name: str = ""
    image: str | None = None
    args: tuple[str, ...] | None = None


class PodSpec(msgspec.Struct, frozen=True):
    containers: tuple[Container, ...] | None = None
    serviceAccountName: str | None = None


class PodTemplate(msgspec.Struct, frozen=True):
    metadata: Metadata = Metadata()
    spec: PodSpec | None = None


class WorkloadSpec(msgspec.Struct, frozen=True):
    replicas: int | None = None
    template: PodTemplate = PodTemplate()


class Deployment(Named, frozen=True):
    spec: WorkloadSpec = WorkloadSpec()

    @property
    def account(self) -> str:
        spec = self.spec.template.spec
        return (spec and spec.serviceAccountName) or "default"

    @property
    def containers(self) -> tuple[Container, ...]:
        spec = self.spec.template.spec
        return (spec and spec.containers) or ()


class ServicePort(msgspec.Struct, frozen=True):
    port: int = 0
    name: str | None = None


class ServiceSpec(msgspec.Struct, frozen=True):
    ports: tuple[ServicePort, ...] | None = None


class Service(Named, frozen=True):
    spec: ServiceSpec = ServiceSpec()


class Conditions(msgspec.Struct, frozen=True):
    ready: bool | None = None


class Endpoint(msgspec.Struct, frozen=True):
    addresses: tuple[str, ...] | None = None
    conditions: Conditions = Conditions()


class EndpointPort(msgspec.Struct, frozen=True):
    name: str | None = None
    port: int | None = None


class Slice(Named, frozen=True):
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None


class LeaseSpec(msgspec.Struct, frozen=True):
    holderIdentity: str | None = None
    leaseDurationSeconds: int | None = None
    renewTime: str | None = None


class Lease(Named, frozen=True):
    spec: LeaseSpec = LeaseSpec()


class ConfigMap(Named, frozen=True):
    data: dict[str, str] | None = None


class Public(msgspec.Struct, frozen=True):
    certificate: bytes | None = msgspec.field(default=None, name="tls.crt")


class Secret(Named, frozen=True):
    """The certificate alone: a private key is skipped unparsed."""

    data: Public | None = None


# --- discovery, /version and reviews


class ApiVersion(msgspec.Struct, frozen=True):
    version: str = ""


class ApiGroup(msgspec.Struct, frozen=True):
    name: str = ""
    versions: tuple[ApiVersion, ...] = ()


class ApiGroups(msgspec.Struct, frozen=True):
    groups: tuple[ApiGroup, ...] = ()


class ApiResource(msgspec.Struct, frozen=True):
    name: str = ""


class ApiResources(msgspec.Struct, frozen=True):
    resources: tuple[ApiResource, ...] = ()


class Version(msgspec.Struct, frozen=True):
    gitVersion: str = ""
    major: str = ""
    minor: str = ""

    @property
    def number(self) -> tuple[int, int]:
        """(1, 36); some write the minor version as ``36+``."""
        major, minor = (re.sub(r"\D.*", "", one) or "0" for one in (self.major, self.minor))
        return int(major), int(minor)


class ReviewStatus(msgspec.Struct, frozen=True):
    allowed: bool = False


class Review(msgspec.Struct, frozen=True):
    status: ReviewStatus = ReviewStatus()
