"""external-name: an ExternalName Service is an alias, and must not point back inside.

Field: spec.externalName of type ExternalName. Not allowed: IP addresses in any notation, also as
names of pods, localhost, metadata servers, and names of other namespaces inside the cluster domain.
Allowed: everything else, and names of the parameter allowedNames.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policies.model import Action, Policy, Request, Rule, Violation
from policies.objects import Service
from policies.services.addresses import parse, special
from policies.services.destinations import below, forbidden, normal, other_namespace, pod_address

EXTERNAL_NAME = "ExternalName"


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an alias may point at.

    clusterDomain: the DNS domain of the cluster, as the kubelet's clusterDomain.
    allowedNames: names that are allowed whatever they lead to; "*.example.com" for every name
        below a domain.
    """

    clusterDomain: str = "cluster.local"
    allowedNames: frozenset[str] = frozenset()


def validate(service: Service, request: Request, params: Params) -> Iterator[Violation]:
    spec = service.spec
    if spec is None or spec.type != EXTERNAL_NAME or not spec.externalName:
        return
    name = normal(spec.externalName)
    if _is_allowed(name, params.allowedNames):
        return
    keys, domain = (f"to {name}",), normal(params.clusterDomain)
    if what := forbidden(name) or pod_address(name, domain):
        yield Violation("spec.externalName", f"must not be {what}", _instead(name), keys)
    elif what := other_namespace(name, request.namespace, domain):
        fix = "let clients use that Service by its own name, which its NetworkPolicies know"
        yield Violation("spec.externalName", f"must not be {what}", fix, keys)


def _instead(name: str) -> str:
    """A Service without selector is no way to an address that its endpoints may not have."""
    fix, address = "point it at the DNS name of a host outside", parse(name)
    if address is None or special(address):
        return fix
    return f"{fix}; for an address use a Service without selector, and an EndpointSlice"


def _is_allowed(name: str, allowed: frozenset[str]) -> bool:
    return any(
        below(name, normal(one[2:])) and name != normal(one[2:])
        if one.startswith("*.")
        else name == normal(one)
        for one in allowed
    )


POLICY = Policy(
    id="external-name",
    title="ExternalName Services point outside",
    why=(
        "An ExternalName is answered by the cluster's DNS as an alias, and every client believes "
        "it: a controller, a gateway or an Ingress that may reach other namespaces, the node or "
        "the metadata server can be sent there by whoever may create a Service. An alias into "
        "another namespace also hides who talks to whom. An IP address is no name at all: DNS "
        "answers it with an alias that does not resolve."
    ),
    fix=(
        "Use the DNS name of a host outside. For an address outside the cluster use a Service "
        "without selector and an EndpointSlice, for a Service of another namespace its own name. "
        "An administrator can allow names (allowedNames)."
    ),
    rules=(Rule("", "services"),),
    standard=Action.WARN,
    strict=Action.DENY,
    params=Params,
    validate=validate,
)
