"""Objects of the API server as typed views, with no more than the baseline reads of them.

Every field may be absent. `key` and `metadata.resourceVersion` are for whoever follows the API
server; nothing in here reads them.
"""

from __future__ import annotations

from policies.objects import Labels, ServiceSpec, View


class Metadata(View):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""
    labels: Labels | None = None
    annotations: Labels | None = None


class Observed(View, kw_only=True):
    """What every kind has."""

    metadata: Metadata

    @property
    def key(self) -> str:
        """``name``, or ``namespace/name`` of what is in a namespace."""
        name, namespace = self.metadata.name, self.metadata.namespace
        return f"{namespace}/{name}" if namespace else name


class Service(Observed):
    spec: ServiceSpec | None = None


class EndpointPort(View):
    name: str | None = None
    protocol: str | None = None
    port: int | None = None


class Endpoint(View):
    addresses: list[str] | None = None


class EndpointSlice(Observed):
    endpoints: list[Endpoint] | None = None
    ports: list[EndpointPort] | None = None


class NodeSpec(View):
    providerID: str | None = None


class NodeAddress(View):
    type: str | None = None
    address: str | None = None


class NodeSystemInfo(View):
    kubeletVersion: str | None = None
    operatingSystem: str | None = None


class NodeStatus(View):
    addresses: list[NodeAddress] | None = None
    nodeInfo: NodeSystemInfo | None = None


class Node(Observed):
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class Container(View):
    name: str | None = None
    image: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None


class TemplateMetadata(View):
    labels: Labels | None = None


class TemplateSpec(View):
    hostNetwork: bool | None = None
    containers: list[Container] | None = None


class Template(View):
    metadata: TemplateMetadata | None = None
    spec: TemplateSpec | None = None


class DaemonSetSpec(View):
    template: Template | None = None


class DaemonSetStatus(View):
    desiredNumberScheduled: int | None = None


class DaemonSet(Observed):
    spec: DaemonSetSpec | None = None
    status: DaemonSetStatus | None = None


class ConfigMap(Observed):
    data: dict[str, str] | None = None
