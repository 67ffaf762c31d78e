"""net-capabilities: who may change the network, or forge packets, obeys no network rule.

Fields: securityContext.privileged and securityContext.capabilities.add of init, main and ephemeral
containers. Forbidden: true, and the names of POWERS in whatever spelling a runtime takes for one.
What is dropped does not matter to what is added: a runtime adds to what is left. Init containers
of a mesh are allowed by configuration only, by name, image and command together.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policies.model import Action, Policy, Request, Violation
from policies.objects import ContainerSecurityContext
from policies.pods.init_containers import MESH_INIT, AllowedContainer, Mesh
from policies.workloads import EPHEMERAL_CONTAINERS, WORKLOADS, PodView

POWERS = {
    "NET_ADMIN": "it can change the interfaces, routes and packet filters the pod relies on",
    "NET_RAW": "it can forge packets, such as ARP and DNS answers",
    "SYS_ADMIN": "it can enter the node's network namespace and load network BPF programs",
    "SYS_MODULE": "it can load kernel modules, and so change the network of the whole node",
    "ALL": "NET_ADMIN and NET_RAW are among them",
}
"""Capabilities that are, or contain, power over the network, and why.

Sources: capabilities(7); setns(2) for SYS_ADMIN, and linux kernel/bpf/token.c, bpf_token_capable:
SYS_ADMIN stands in for NET_ADMIN wherever network programs are loaded.
"""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which init containers may hold power over the network, and what else is asked.

    meshes: allows the init container that each of these meshes injects, from the images it is
        published as. It does not prove that the mesh wrote the container: with other arguments,
        or files mounted over its programs, the same image works for anybody. Where a mesh's CNI
        plugin redirects the traffic no pod needs such a container.
    allowedInitContainers: further init containers, such as a mesh's from a registry of your own.
    requireDropNetRaw: whether every container must drop NET_RAW (or ALL), because the runtime
        may grant it by default: containerd does, CRI-O does not.
    """

    meshes: frozenset[Mesh] = frozenset()
    allowedInitContainers: tuple[AllowedContainer, ...] = ()
    requireDropNetRaw: bool = False


def validate(pod: PodView, request: Request, params: Params) -> Iterator[Violation]:
    for index, container in enumerate(pod.containers):
        context = container.securityContext
        if context is not None:
            if context.privileged:
                yield _privileged(pod, index)
            if context.capabilities is not None and context.capabilities.add:
                yield from _added(pod, index, context.capabilities.add, params)
        if params.requireDropNetRaw and not _drops_net_raw(context):
            yield _not_dropped(pod, index)


def _privileged(pod: PodView, index: int) -> Violation:
    field = pod.field_of(index)
    fix = "remove it and add the capabilities that the program needs"
    return Violation(
        f"{field}.securityContext.privileged",
        "must not be true: a privileged container has every capability, NET_ADMIN among them",
        _DEBUG if _EPHEMERAL in field else fix,
        keys=(f"{pod.key_of(index)}: privileged", *_keys(pod, index, "ALL")),
    )


def _added(pod: PodView, index: int, added: list[str], params: Params) -> Iterator[Violation]:
    allowed: frozenset[str] | None = None
    for position, spelling in enumerate(added):
        name = _canonical(spelling)
        if name not in POWERS:
            continue
        if allowed is None:
            allowed = _allowed(pod, index, params)
        if name not in allowed:
            field = pod.field_of(index)
            yield Violation(
                f"{field}.securityContext.capabilities.add[{position}]",
                f"must not be {name}: {POWERS[name]}",
                _instead(field, name),
                keys=_keys(pod, index, name),
            )


def _keys(pod: PodView, index: int, name: str) -> tuple[str, ...]:
    """ALL contains the others, so that naming one of them instead adds nothing."""
    names = POWERS if name == "ALL" else (name,)
    return tuple(f"{pod.key_of(index)}: add {one}" for one in names)


_EPHEMERAL = ".ephemeralContainers["
_DEBUG = "remove it; of kubectl debug, the profile general does without"


def _instead(field: str, name: str) -> str:
    """What the author of the container at ``field`` may have wanted."""
    if _EPHEMERAL in field:
        return _DEBUG
    if name == "ALL":
        return "list only the capabilities that the program needs"
    if ".initContainers[" in field and name in ("NET_ADMIN", "NET_RAW"):
        return "remove it; for a mesh use its CNI plugin, or have its init container allowed"
    return "remove it; what cannot work without it needs an exemption"


def _canonical(capability: str) -> str:
    """``cap_net_admin`` is ``NET_ADMIN``.

    containerd and CRI-O take any case and all of Unicode's upper-casing, CRI-O and Docker the
    prefix CAP_ too. None of them trims white space, but then it can be meant as nothing else.
    """
    return capability.strip().upper().removeprefix("CAP_")


def _allowed(pod: PodView, index: int, params: Params) -> frozenset[str]:
    """What this container may add; only init containers may add anything."""
    if index >= len(pod.spec.initContainers or ()):
        return frozenset()
    of_meshes = (allowed for mesh in params.meshes for allowed in MESH_INIT[mesh])
    return frozenset(
        _canonical(name)
        for allowed in (*params.allowedInitContainers, *of_meshes)
        if allowed.covers(pod.containers[index])
        for name in allowed.capabilities
    )


def _drops_net_raw(context: ContainerSecurityContext | None) -> bool:
    """Only spellings that every runtime understands count: containerd ignores CAP_NET_RAW."""
    if context is None or context.capabilities is None:
        return False
    return any(name.upper() in ("ALL", "NET_RAW") for name in context.capabilities.drop or ())


def _not_dropped(pod: PodView, index: int) -> Violation:
    return Violation(
        f"{pod.field_of(index)}.securityContext.capabilities.drop",
        "must contain NET_RAW or ALL: the container runtime may grant NET_RAW by default",
        "set securityContext.capabilities.drop to [ALL]",
        keys=(f"{pod.key_of(index)}: drop",),
    )


POLICY = Policy(
    id="net-capabilities",
    title="Containers get no power over the network",
    why=(
        "NET_ADMIN changes interfaces, routes and packet filters: a container that has it can "
        "undo a mesh's redirection in its pod, and with hostNetwork the rules of the whole node. "
        "NET_RAW forges packets, enough for ARP and DNS spoofing among the pods of a bridge. "
        "SYS_ADMIN, SYS_MODULE, ALL and privileged include that power. Ephemeral containers can "
        "be given all of it after the pod was admitted."
    ),
    fix=(
        "Drop ALL and add only what the program needs, never one of these. Let the mesh's CNI "
        "plugin redirect traffic. Where that is not possible an administrator allows the mesh's "
        "init container (meshes, allowedInitContainers)."
    ),
    rules=(*WORKLOADS, EPHEMERAL_CONTAINERS),
    standard=Action.WARN,
    strict=Action.DENY,
    params=Params,
    validate=validate,
)
