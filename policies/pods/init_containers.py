"""Init containers that may have powers that others may not: by name, image and command together.

Owns what the meshes inject. A name alone proves nothing, and an image runs whatever command its
container gives it. Decides nothing: that is net_capabilities.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from policies.objects import Container
from policies.pods.images import parse


class AllowedContainer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An init container that may add capabilities: it must match in name, image and command.

    name: the container's name.
    image: its image with the registry, as in the pod (``docker.io/`` may be left out). Without a
        tag or digest every version counts, with one only that version. No patterns: a prefix
        would match a stranger's image.
    command: its command. If empty, the container must not set one, so that the image's own program
        runs. A last word ``*`` stands for any further words.
    capabilities: the capabilities that it may add.
    """

    name: Annotated[str, msgspec.Meta(min_length=1)]
    image: Annotated[str, msgspec.Meta(pattern=r"^[^\s*]+$")]
    command: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset({"NET_ADMIN", "NET_RAW"})

    def covers(self, container: Container) -> bool:
        """Whether the container is this one; what it adds is not looked at."""
        return (
            container.name == self.name
            and self._runs(container.command or [])
            and parse(self.image).covers(parse(container.image or ""))
        )

    def _runs(self, command: list[str]) -> bool:
        *words, last = self.command or ("",)
        if last == "*":
            return command[: len(words)] == words
        return command == list(self.command)


Mesh = Literal["istio", "linkerd", "kuma", "consul"]

_KUMACTL = ("/usr/bin/kumactl", "install", "transparent-proxy")
MESH_INIT: dict[Mesh, tuple[AllowedContainer, ...]] = {
    "istio": (
        AllowedContainer("istio-init", "docker.io/istio/proxyv2"),
        AllowedContainer("istio-init", "registry.istio.io/release/proxyv2"),
        AllowedContainer("istio-init", "gcr.io/istio-release/proxyv2"),
    ),
    "linkerd": (AllowedContainer("linkerd-init", "cr.l5d.io/linkerd/proxy-init"),),
    "kuma": (
        AllowedContainer("kuma-init", "docker.io/kumahq/kuma-init", _KUMACTL),
        AllowedContainer("kuma-init", "docker.io/kong/kuma-init", _KUMACTL),
    ),
    "consul": (
        AllowedContainer(
            "consul-connect-inject-init",
            "docker.io/hashicorp/consul-k8s-control-plane",
            ("/bin/sh", "-ec", "*"),
            frozenset({"NET_ADMIN"}),
        ),
    ),
}
"""The init containers that meshes inject where their CNI plugin does not redirect the traffic.

Sources: istio injection-template.yaml (and the hubs its releases came from), linkerd2
_proxy-init.tpl, kuma pkg/plugins/runtime/k8s/webhooks/injector, consul-k8s container_init.go, whose
script differs from pod to pod: there the image alone is the pin.
"""
