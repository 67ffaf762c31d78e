"""The section ``baseline`` of the configuration, with the checks that need no cluster.

Knows neither the file nor who reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from policies.baseline import verbatim
from policies.baseline.meshes import ControlPlanes, Mode
from policies.baseline.presets import Allow
from policies.baseline.settings import Address, Name, Namespace, check_addresses
from policies.selectors import LabelSelector

DEFAULT = "default-deny"
"""The baseline that always exists; the policy that denies has the same name."""


class DnsService(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Service that pods ask for names.

    namespace: of the Service.
    name: of the Service.
    """

    namespace: Namespace
    name: Name


class Dns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where pods send their DNS queries, where Netreeve cannot find that out by itself.

    services: the Services of the cluster's DNS, instead of those that Netreeve knows by name.
    addresses: of resolvers that are not pods, in addition to those that are found.
    whenNotFound: what happens in a cluster in which no DNS is found: hold generates nothing and
        leaves new namespaces pending; deny-only denies everything, DNS included.
    """

    services: tuple[DnsService, ...] = ()
    addresses: tuple[Address, ...] = ()
    whenNotFound: Literal["hold", "deny-only"] = "hold"

    def __post_init__(self) -> None:
        check_addresses(self.addresses)


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What namespaces under this baseline are allowed; DNS always is, all else is denied.

    allow: presets, by name.
    meshes: meshes whose traffic is allowed although nothing on the namespace switches them on: for
        Consul, and for pods that join a mesh by themselves.
    policies: specs of further NetworkPolicies, by name.
    """

    allow: Allow = Allow()
    meshes: tuple[Mode, ...] = ()
    policies: dict[Name, dict[str, Any]] = {}

    def __post_init__(self) -> None:
        for name, spec in self.policies.items():
            if name == DEFAULT or name.startswith("allow-"):
                raise ValueError(f"policies.{name} must not be {DEFAULT} or begin with allow-")
            try:
                verbatim.defaulted(spec)
            except ValueError as error:
                raise ValueError(f"policies.{name} {error}") from None


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which baseline new namespaces with certain labels get.

    namespaceSelector: selects namespaces by their labels.
    baseline: the name of the baseline that they get.
    """

    namespaceSelector: LabelSelector
    baseline: Name


class BaselineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The NetworkPolicies that namespaces get.

    enabled: if false, no namespace is labelled, no pod is held back and nothing is generated; what
        exists stays.
    name: the baseline of new namespaces that none of the selectors picks.
    selectors: other baselines for some new namespaces; the first that matches counts.
    baselines: the baselines, by name; default-deny exists whether or not it is listed.
    excludedNamespaces: namespaces that are never labelled, in addition to those of the system, of
        meshes and of CNI plugins.
    pods: what happens to pods of a namespace whose baseline is not there yet: gate holds them back
        until it is, deny refuses them, off lets them run.
    dns: where pods send their DNS queries.
    controlPlanes: the namespaces in which control planes of meshes run.
    controllers: users who may write the generated policies.
    """

    enabled: bool = True
    name: Name = DEFAULT
    selectors: tuple[Choice, ...] = ()
    baselines: dict[Name, Baseline] = {}
    excludedNamespaces: tuple[Namespace, ...] = ()
    pods: Literal["gate", "deny", "off"] = "gate"
    dns: Dns = Dns()
    controlPlanes: ControlPlanes = ControlPlanes()
    controllers: tuple[str, ...] = ("system:serviceaccount:netreeve:netreeve-control",)

    def __post_init__(self) -> None:
        for name in (self.name, *(one.baseline for one in self.selectors)):
            if self.baseline(name) is None:
                raise ValueError(f"no baseline is named {name!r}: define it under baselines")

    def baseline(self, name: str) -> Baseline | None:
        """The baseline of this name; None for one that is not, or no longer, configured."""
        return self.baselines.get(name, Baseline() if name == DEFAULT else None)

    def choose(self, labels: Mapping[str, str]) -> str:
        """The name of the baseline for a new namespace with these labels."""
        chosen = (one.baseline for one in self.selectors if one.namespaceSelector.matches(labels))
        return next(chosen, self.name)
