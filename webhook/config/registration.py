"""What the API server has to send here, for the webhook configurations of the chart.

``python -m webhook.config.registration`` writes it as the YAML file that the chart renders its
rules from: computed from the policies, so no policy is forgotten there and nothing is sent that
none of them judges. Knows neither selectors nor where the server is.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import yaml

from policies import catalogue
from policies.model import WRITES, Policy, Rule
from policies.resources import BUILT_IN
from policies.services.endpoint_slices import Params as EndpointSlices
from webhook.config.schema import ALWAYS_EXCLUDED

CLUSTER_SCOPED = frozenset((one.group, one.resource) for one in BUILT_IN if not one.namespaced)
HEAD = "# Written by `make manifests` from the policies: change those.\n"


class Rules(NamedTuple):
    """What each of the two paths is asked about, one Rule for each group and resource."""

    mutating: tuple[Rule, ...]
    validating: tuple[Rule, ...]


def registered(policies: Iterable[Policy[Any, Any]]) -> Rules:
    """The requests that policies judge or change.

    What is judged can be exempt, and the stamp that proves it is written into the object itself;
    so every object that is judged is sent to the mutating path as well, its subresources are not.
    """
    policies = tuple(policies)
    judged = [rule for policy in policies if policy.validate for rule in policy.rules]
    changed = [
        rule for policy in policies if policy.mutate or policy.early for rule in policy.rules
    ]
    return Rules(_merged([*changed, *_stamped(judged)]), _merged(judged))


def _stamped(judged: Iterable[Rule]) -> Iterator[Rule]:
    for rule in judged:
        if "/" not in rule.resource:
            yield rule._replace(operations=WRITES)


def _merged(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    operations: dict[tuple[str, str], frozenset[str]] = defaultdict(frozenset)
    for rule in rules:
        operations[rule.group, rule.resource] |= rule.operations
    return tuple(Rule(*key, asked) for key, asked in sorted(operations.items()))


def document() -> dict[str, Any]:
    """The file: rules by path and scope as a webhook configuration has them, and who is left out.

    endpointWriters: users whose endpoints no policy judges unless told to.
    """
    rules = registered(catalogue())
    return {
        "systemNamespaces": sorted(ALWAYS_EXCLUDED),
        "endpointWriters": sorted(EndpointSlices().trustedControllers),
        "mutating": _scopes(rules.mutating),
        "validating": _scopes(rules.validating),
    }


def _scopes(rules: Iterable[Rule]) -> dict[str, list[dict[str, Any]]]:
    resources: dict[tuple[str, str, frozenset[str]], list[str]] = defaultdict(list)
    for rule in rules:
        scope = "Cluster" if (rule.group, rule.resource) in CLUSTER_SCOPED else "Namespaced"
        resources[scope, rule.group, rule.operations].append(rule.resource)
    found: dict[str, list[dict[str, Any]]] = {"Cluster": [], "Namespaced": []}
    for (scope, group, operations), names in resources.items():
        found[scope].append(
            {
                "apiGroups": [group],
                # Of every built-in kind; matchPolicy Equivalent converts what else there is.
                "apiVersions": ["v1"],
                "resources": names,
                "operations": sorted(operations),
                "scope": scope,
            }
        )
    return found


def text() -> str:
    """The file, as it is kept in the chart."""
    return HEAD + yaml.safe_dump(document(), sort_keys=False, width=100)


if __name__ == "__main__":
    sys.stdout.write(text())
