"""baseline-label: new namespaces come under a baseline, by a label that the controller acts on.

Field: metadata.labels[netreeve.io/baseline] of a Namespace, on CREATE. A label that was set by
hand is left as it is (baseline-guard says which values there may be), and so are namespaces that
exist already, and those of the system, of CNI plugins, of meshes and of the gate itself
(baseline-guard says who may create these).
"""

from __future__ import annotations

from policies.baseline.config import BaselineConfig
from policies.model import CREATE, Action, Baseline, Policy, Request, Rule
from policies.namespaces.meshes import is_off_limits, name_so_far
from policies.network_policies.managed import BASELINE
from policies.objects import Namespace


def mutate(namespace: Namespace, request: Request, config: BaselineConfig) -> None:
    meta = namespace.metadata
    if meta is None or not config.enabled or request.baseline is Baseline.INACTIVE:
        return
    labels = meta.labels or {}
    if BASELINE not in labels and not gets_none(name_so_far(meta), config):
        meta.labels = {**labels, BASELINE: config.choose(labels)}


def gets_none(name: str, config: BaselineConfig) -> bool:
    """Whether a new namespace of this name is left without a baseline unless it asks for one."""
    return is_off_limits(name) or name in config.excludedNamespaces


POLICY = Policy(
    id="baseline-label",
    title="New namespaces come under a baseline",
    why=(
        "Without a NetworkPolicy every pod of the cluster can reach every pod of a namespace, and "
        "its pods can reach everything. A namespace with the label netreeve.io/baseline gets a "
        "default-deny and what its pods need to work, DNS first, before any of them runs."
    ),
    fix=(
        "To choose another configured baseline, set the label netreeve.io/baseline when creating "
        "the namespace. Changing or removing it later takes the right to exempt "
        "policies.netreeve.io/baseline."
    ),
    rules=(Rule("", "namespaces", frozenset({CREATE})),),
    standard=Action.MUTATE,
    strict=Action.MUTATE,
    params=BaselineConfig,
    mutate=mutate,
)
