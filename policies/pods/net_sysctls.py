"""net-sysctls: kernel network settings of a pod that Kubernetes does not count as safe.

Field: spec.securityContext.sysctls[*].name. Judged: net.* alone, also written net/ipv4/ip_forward
as the kubelet accepts it. Allowed: the safe ones of a Kubernetes version (pod-security-admission,
check_sysctls.go) and those of the parameter allowed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Annotated

import msgspec

from policies.model import Action, Policy, Request, Violation
from policies.workloads import WORKLOADS, PodView

SAFE_SINCE: tuple[tuple[int, tuple[str, ...]], ...] = (
    (
        0,
        (
            "net.ipv4.ip_local_port_range",
            "net.ipv4.tcp_syncookies",
            "net.ipv4.ping_group_range",
            "net.ipv4.ip_unprivileged_port_start",
        ),
    ),
    (27, ("net.ipv4.ip_local_reserved_ports",)),
    (
        29,
        (
            "net.ipv4.tcp_keepalive_time",
            "net.ipv4.tcp_fin_timeout",
            "net.ipv4.tcp_keepalive_intvl",
            "net.ipv4.tcp_keepalive_probes",
        ),
    ),
    (32, ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem")),
    (37, ("net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat")),
)
"""(minor version of Kubernetes 1, what became safe with it)"""

NEWEST = f"1.{SAFE_SINCE[-1][0]}"


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which net.* sysctls a pod may set.

    kubernetesVersion: the version whose safe sysctls are allowed, as ``1.34``. The newest known
        by default: what became safe later was isolated per pod before, and the kubelet of an
        older node itself refuses what it does not know to be safe.
    allowed: further names, those of the kubelets' --allowed-unsafe-sysctls; a ``*`` at the end
        stands for any rest: ``net.ipv4.conf.*``.
    """

    kubernetesVersion: Annotated[str, msgspec.Meta(pattern=r"^1\.[0-9]{1,3}$")] = NEWEST
    allowed: tuple[Annotated[str, msgspec.Meta(pattern=r"^net[./][^*]*\*?$")], ...] = ()


def validate(pod: PodView, request: Request, params: Params) -> Iterator[Violation]:
    context = pod.spec.securityContext
    if context is None or not context.sysctls:
        return
    for index, sysctl in enumerate(context.sysctls):
        name = dotted(sysctl.name or "")
        if name.startswith("net.") and not _is_allowed(name, params):
            yield Violation(
                f"{pod.path}.securityContext.sysctls[{index}].name",
                f"must be a safe sysctl of Kubernetes {params.kubernetesVersion}, not {name}",
                "remove it, or set it on the node; an administrator can allow it",
                keys=(f"{pod.key}: {name}={sysctl.value}",),
            )


def dotted(name: str) -> str:
    """A sysctl name with dots, as the kubelet reads it (component-helpers sysctl.NormalizeName).

    The first separator decides: in ``net/ipv4/conf/eth0.100/rp_filter`` the dot is a part of the
    interface's name, and dots and slashes change places.
    """
    first = next((char for char in name if char in "./"), ".")
    return name if first == "." else name.translate(_SWAP)


_SWAP = str.maketrans("./", "/.")


def _is_allowed(name: str, params: Params) -> bool:
    return name in safe(params.kubernetesVersion) or any(
        name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
        for pattern in map(dotted, params.allowed)
    )


@functools.cache  # of versions from the configuration, which are few
def safe(version: str) -> frozenset[str]:
    """The safe net.* sysctls of a version such as ``1.34``."""
    minor = int(version.partition(".")[2])
    return frozenset(name for since, names in SAFE_SINCE if since <= minor for name in names)


POLICY = Policy(
    id="net-sysctls",
    title="Pods set only safe network sysctls",
    why=(
        "A sysctl is safe when it is isolated per pod and cannot harm the node or other pods. The "
        "unsafe net.* ones can turn a pod into a router (ip_forward), switch off the check of "
        "source addresses (rp_filter), accept redirects, or use memory of the whole node. The "
        "kubelet rejects them unless the node's administrator allowed them, and then the pod is "
        "recreated in vain."
    ),
    fix=(
        "Remove the sysctl. If the program needs it, have the nodes' administrator allow it in the "
        "kubelet (--allowed-unsafe-sysctls) and here (allowed)."
    ),
    rules=WORKLOADS,
    standard=Action.WARN,
    strict=Action.DENY,
    params=Params,
    validate=validate,
)
