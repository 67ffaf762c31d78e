"""baseline-gate: pods of a namespace that is not protected yet wait before they are scheduled.

Field: spec.schedulingGates of a Pod, on CREATE. The controller removes the gate as soon as it has
seen the baseline of the namespace. Other gates are kept, and so is their order.
"""

from __future__ import annotations

from policies.baseline.config import BaselineConfig
from policies.model import CREATE, Action, Baseline, Policy, Request, Rule
from policies.objects import PodSchedulingGate
from policies.pods.baseline_pods import GATE, is_gated, waits
from policies.workloads import PodView


def mutate(pod: PodView, request: Request, config: BaselineConfig) -> None:
    if not waits(pod, request, config) or config.pods != "gate":
        return
    # Where no controller runs nobody would remove the gate: baseline-pods denies the pod instead.
    if request.baseline is Baseline.UNKNOWN:
        return
    # The API server refuses a gate beside a nodeName; baseline-pods says why in better words.
    if not pod.spec.nodeName and not is_gated(pod):
        pod.spec.schedulingGates = [*(pod.spec.schedulingGates or ()), PodSchedulingGate(name=GATE)]


POLICY = Policy(
    id="baseline-gate",
    title="Pods of a new namespace wait for its baseline",
    why=(
        "NetworkPolicies of a new namespace appear a moment after it, and a pod must not run "
        "before. With the scheduling gate netreeve.io/baseline it is created at once, and "
        "scheduled when the policies are there, usually well under a second later."
    ),
    fix="Nothing needs doing: the gate is removed by Netreeve's controller.",
    rules=(Rule("", "pods", frozenset({CREATE})),),
    standard=Action.MUTATE,
    strict=Action.MUTATE,
    params=BaselineConfig,
    mutate=mutate,
)
