"""probe-host: the kubelet is no proxy: probes and hooks go to the pod itself.

Fields: httpGet.host and tcpSocket.host of livenessProbe, readinessProbe, startupProbe,
lifecycle.postStart and lifecycle.preStop, in every container. Allowed: absent, empty, a host of
the parameter allowedHosts. Source: pod-security-admission, baseline since 1.34,
hostProbesAndHostLifecycle. gRPC and exec have no host. Loopback is no exception: the kubelet runs
in the node's network namespace, so 127.0.0.1 and localhost are the node's own, where services
listen that ask for no credentials.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policies.model import Action, Policy, Request, Violation
from policies.workloads import WORKLOADS, PodView


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which hosts the kubelet may be sent to.

    allowedHosts: host values that are accepted, compared exactly. A loopback name in it lets
        every pod reach what listens on the node's loopback; give it only to namespaces whose
        pods use hostNetwork anyway.
    """

    allowedHosts: frozenset[str] = frozenset()


def validate(pod: PodView, request: Request, params: Params) -> Iterator[Violation]:
    for index, container in enumerate(pod.containers):
        hooks = container.lifecycle
        for name, handler in (
            ("livenessProbe", container.livenessProbe),
            ("readinessProbe", container.readinessProbe),
            ("startupProbe", container.startupProbe),
            ("lifecycle.postStart", hooks.postStart if hooks else None),
            ("lifecycle.preStop", hooks.preStop if hooks else None),
        ):
            if handler is None:
                continue
            for kind, action in (("httpGet", handler.httpGet), ("tcpSocket", handler.tcpSocket)):
                if action and action.host and action.host not in params.allowedHosts:
                    yield Violation(
                        f"{pod.field_of(index)}.{name}.{kind}.host",
                        f"must not be set: the kubelet connects to {action.host} from the node",
                        f"remove it; {_instead(kind, action.host)}",
                        # What is reached counts, not which probe or container reaches it.
                        keys=(f"{pod.key}: {kind} {action.host} port {action.port}",),
                    )


def _instead(kind: str, host: str) -> str:
    """What the author may have wanted."""
    if host.lower() in ("localhost", "::1") or host.startswith("127."):
        return "for what listens on loopback only use exec"
    if kind == "httpGet" and ":" not in host and any(map(str.isalpha, host)):
        return "to name a virtual host set a Host header in httpHeaders"
    return "to check another system use exec"


POLICY = Policy(
    id="probe-host",
    title="Probes and lifecycle hooks go to their own pod",
    why=(
        "The kubelet runs probes and hooks from the node. With a host in them it connects to "
        "whatever the pod's author names, past every NetworkPolicy: the node's own loopback "
        "(127.0.0.1 and localhost mean the node there, not the pod), the cloud's metadata server, "
        "the networks behind the node. Whether the probe succeeds tells the author what answers."
    ),
    fix=(
        "Leave host out: the kubelet then connects to the pod's own address. To be served by name "
        "set a Host header in httpGet.httpHeaders. To probe another system run the check inside "
        "the container with exec."
    ),
    rules=WORKLOADS,
    standard=Action.WARN,
    strict=Action.DENY,
    params=Params,
    validate=validate,
)
