"""baseline-pods: no pod runs before its namespace is protected.

Fields: spec.schedulingGates, spec.nodeName of a Pod. In a namespace whose baseline has not been
observed yet a new pod must wait behind the scheduling gate that baseline-gate gave it, and keep it
until the controller removes it; a pod that names its node cannot be held back and is denied, and
so is every pod in the moment in which the gate has just started and knows of no baseline yet.
A node's mirror pods show what it runs already and are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.baseline.config import BaselineConfig
from policies.model import CREATE, UPDATE, Action, Baseline, Policy, Request, Rule, Violation
from policies.workloads import PodView, shows_static_pod

GATE = "netreeve.io/baseline"
RETRY = "create it again in a moment; a Deployment or Job does so by itself"


def validate(pod: PodView, request: Request, config: BaselineConfig) -> Iterator[Violation]:
    if not waits(pod, request, config):
        return
    if request.operation == UPDATE:
        yield from _released(pod, request, config)
    elif request.baseline is Baseline.UNKNOWN:
        yield Violation(
            "metadata.namespace", "must be known: the gate has only just started", RETRY
        )
    elif config.pods == "deny":
        yield Violation(
            "metadata.namespace", "must have its baseline before pods are created in it", RETRY
        )
    elif pod.spec.nodeName:
        yield Violation(
            "spec.nodeName", "must not be set while the namespace has no baseline yet", RETRY
        )
    elif not is_gated(pod):
        yield Violation(
            "spec.schedulingGates", f"must hold {GATE} while the namespace has no baseline", RETRY
        )


def is_gated(pod: PodView) -> bool:
    """Whether the pod waits for the baseline of its namespace."""
    return any(gate.name == GATE for gate in pod.spec.schedulingGates or ())


def waits(pod: PodView, request: Request, config: BaselineConfig) -> bool:
    """Whether the pod belongs into a namespace that is not protected yet, as far as known."""
    return (
        request.baseline in (Baseline.PENDING, Baseline.UNKNOWN)
        and config.enabled
        and config.pods != "off"
        and not shows_static_pod(pod, request)
    )


def _released(pod: PodView, request: Request, config: BaselineConfig) -> Iterator[Violation]:
    """An update that takes the gate away, by anyone but the controller."""
    old = request.old
    if not isinstance(old, PodView) or not is_gated(old) or is_gated(pod):
        return
    if request.user.username not in config.controllers:
        yield Violation(
            "spec.schedulingGates",
            f"must keep {GATE} until the namespace has its baseline",
            "wait: the controller removes it within seconds",
        )


POLICY = Policy(
    id="baseline-pods",
    title="Pods wait until their namespace is protected",
    why=(
        "A NetworkPolicy that comes after the first pod leaves a window in which that pod talks "
        "to whom it wants, and connections made then may live on. Pods of a new namespace "
        "therefore wait, usually well under a second, until its baseline has been observed."
    ),
    fix="Nothing needs doing: the pod starts by itself. Do not set nodeName in a new namespace.",
    rules=(Rule("", "pods", frozenset({CREATE, UPDATE})),),
    standard=Action.DENY,
    strict=Action.DENY,
    params=BaselineConfig,
    compares=True,
    exemptable=False,
    validate=validate,
)
