"""host-network: a pod in the node's network namespace is outside of every NetworkPolicy.

Field: spec.hostNetwork of a pod or pod template. Allowed: absent, false.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.model import Action, NoParams, Policy, Request, Violation
from policies.workloads import WORKLOADS, PodView


def validate(pod: PodView, request: Request, params: NoParams) -> Iterator[Violation]:
    if pod.spec.hostNetwork:
        yield Violation(
            f"{pod.path}.hostNetwork",
            "must not be true",
            _instead(request),
            keys=(f"{pod.key}.hostNetwork",),
        )


def _instead(request: Request) -> str:
    """A DaemonSet may be there for the node and not for clients."""
    fix = "remove it and reach the pod through a Service"
    if request.resource != "daemonsets":
        return fix
    return f"{fix}; what works on the node itself needs an exemption"


POLICY = Policy(
    id="host-network",
    title="Pods stay out of the node's network namespace",
    why=(
        "A pod with hostNetwork shares the node's interfaces: it listens on every address of the "
        "node, can reach services bound to the node's loopback and the cloud's metadata server, "
        "and most CNI plugins apply no NetworkPolicy to it."
    ),
    fix=(
        "Remove hostNetwork and expose the pod through a Service. What works on the node itself, "
        "such as a node exporter or a storage driver, an administrator exempts: its workload, or "
        "its namespace."
    ),
    rules=WORKLOADS,
    standard=Action.DENY,
    strict=Action.DENY,
    params=NoParams,
    validate=validate,
)
