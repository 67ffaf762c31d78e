"""GateConfig: the configuration file as it is written, before it meets the policies.

Says what each field means and nothing about how it is read (`load`) or applied (`resolve`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from policies.baseline.config import BaselineConfig
from policies.namespaces.mesh_injection import Params as Mesh
from policies.namespaces.system import SYSTEM_NAMESPACES
from policies.selectors import LabelSelector
from policies.workloads import CustomWorkload
from webhook.exemptions.config import ExemptionsConfig

API_VERSION = "netreeve.io/v1alpha1"
KIND = "GateConfig"
ALWAYS_EXCLUDED = SYSTEM_NAMESPACES

Profile = Literal["audit", "standard", "strict"]
PROFILES: tuple[Profile, ...] = get_args(Profile)
Stage = Literal["audit", "warn", "enforce"]
NamespaceName = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class PolicyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What differs from the profile for one policy.

    action: Deny, Warn, Audit or Off; of a policy that changes objects Mutate or Off.
    params: parameters of the policy; those left out keep their defaults.
    """

    action: Any = None  # what a policy accepts only the policy tells
    params: dict[str, Any] = {}


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Policies that differ in some namespaces; of several overrides the first that matches wins.

    namespaceSelector: on the labels of the namespace.
    policies: by policy id.
    """

    namespaceSelector: LabelSelector
    policies: dict[str, PolicyConfig] = {}


SECTIONS: Mapping[type[msgspec.Struct], str] = {Mesh: "mesh", BaselineConfig: "baseline"}
"""Parameters with a section of their own in the file, shared by the policies that take them."""


class Audit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The audit in the background, by the controller.

    intervalSeconds: how often everything is judged again that a change elsewhere may have changed,
        of namespaces' labels for example; what has changed itself is judged at once.
    reports: the API for a report in every namespace; auto takes openreports.io or wgpolicyk8s.io,
        whichever is served, and none where neither is.
    """

    intervalSeconds: Annotated[int, Meta(ge=60)] = 600
    reports: Literal["auto", "openreports", "wgpolicyk8s", "none"] = "auto"


class GateConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The configuration of the gate.

    stage: how far the gate goes on its way into a cluster: audit only records what it finds, warn
        warns where it would deny, enforce does what the actions say. Only enforce changes objects.
    profile: the set of actions to start from.
    policies: what differs from the profile, by policy id.
    overrides: what differs in namespaces with certain labels.
    mesh: the service mesh to put namespaces into; parameters of the policy mesh-injection, which
        is off without.
    excludedNamespaces: never judged, in addition to those of Kubernetes, CNI plugins, DNS and the
        gate itself.
    workloads: custom kinds that hold pod templates, judged like a Deployment.
    baseline: the NetworkPolicies that new namespaces get; parameters of the policies baseline-*.
    exemptions: what may be claimed by annotation, and exemptions of what cannot carry one.
    audit: of what runs already, in the background; without it there is none.
    """

    apiVersion: Literal["netreeve.io/v1alpha1"] = "netreeve.io/v1alpha1"
    kind: Literal["GateConfig"] = "GateConfig"
    stage: Stage = "enforce"
    profile: Profile = "standard"
    policies: dict[str, PolicyConfig] = {}
    overrides: tuple[Override, ...] = ()
    mesh: Mesh | None = None
    excludedNamespaces: tuple[NamespaceName, ...] = ()
    workloads: tuple[CustomWorkload, ...] = ()
    baseline: BaselineConfig = BaselineConfig()
    exemptions: ExemptionsConfig = ExemptionsConfig()
    audit: Audit | None = None
